use tickc::prelude::*;

fn main() {
    let n = 5i64;
    let _: Code<i64> = tick!(@n + 1);
}
