use tickc::prelude::*;

fn main() {
    let c: Code<i64> = tick!(1);
    let _: Code<i64> = tick!(@c(1));
}
