use tickc::prelude::*;

fn main() {
    let f = tick!(|a: i64| -> i64 { a });
    let _: Code<i64> = tick!(@f);
}
