use tickc::prelude::*;

fn main() {
    let n = 5i64;
    let _ = tick!(|a: i64| -> i64 { a + n });
}
