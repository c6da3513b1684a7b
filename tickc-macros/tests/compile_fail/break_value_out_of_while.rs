use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { while a > 0 { break a; } 0 });
}
