use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32, b: i64| -> i64 { a + b });
}
