use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32| -> i64 { a });
}
