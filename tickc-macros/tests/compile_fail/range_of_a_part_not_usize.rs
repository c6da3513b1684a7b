use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<i64>, i: i32| -> usize { let q = &p[i..]; q.len() });
}
