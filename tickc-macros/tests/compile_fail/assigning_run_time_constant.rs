use tickc::prelude::*;

fn main() {
    let n = 1i64;
    let _ = tick!({ $n = 2; });
}
