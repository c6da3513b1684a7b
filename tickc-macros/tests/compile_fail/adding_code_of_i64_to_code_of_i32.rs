use tickc::prelude::*;

fn main() {
    let a: Code<i32> = tick!(1);
    let b: Code<i64> = tick!(2);
    let _: Code<i32> = tick!(@a + @b);
}
