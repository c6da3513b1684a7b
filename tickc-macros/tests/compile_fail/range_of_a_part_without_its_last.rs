use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<i64>| -> usize { let q = &p[1..=]; q.len() });
}
