use tickc::prelude::*;

fn main() {
    let c: Code<i32> = tick!(1);
    let _ = tick!(|a: i64| -> i64 { a + @c });
}
