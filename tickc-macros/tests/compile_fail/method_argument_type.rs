use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64, b: i32| -> i64 { a.wrapping_add(b) });
}
