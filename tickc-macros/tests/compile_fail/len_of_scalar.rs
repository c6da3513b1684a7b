use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: i64| -> usize { p.len() });
}
