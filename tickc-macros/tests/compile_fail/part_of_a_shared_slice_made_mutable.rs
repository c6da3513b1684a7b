use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<i64>| { let q = &mut p[1..2]; q[0] = 1; });
}
