use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { for i in 0.. { if i > a { return i; } } 0 });
}
