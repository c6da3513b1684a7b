use tickc::prelude::*;

fn main() {
    let _ = tick!(|x: i64| -> usize { let q = &x[1..2]; q.len() });
}
