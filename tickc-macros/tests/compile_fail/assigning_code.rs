use tickc::prelude::*;

fn main() {
    let c: Code<i64> = tick!(1);
    let _ = tick!(@c = 2);
}
