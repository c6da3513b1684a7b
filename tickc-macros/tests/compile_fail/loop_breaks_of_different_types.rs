use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64, b: i32| -> i64 { loop { if a > 0 { break a; } break b; } });
}
