use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<i64>| -> i64 { let q = p[1..2]; q[0] });
}
