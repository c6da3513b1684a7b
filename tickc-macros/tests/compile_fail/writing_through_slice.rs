use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<i64>| { p[0] = 1; });
}
