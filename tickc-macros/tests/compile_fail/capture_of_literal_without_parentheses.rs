use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { a + $5 });
}
