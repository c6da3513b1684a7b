use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32, b: i64| -> i32 { if a > 0 { a } else { b } });
}
