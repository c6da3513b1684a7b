use tickc::prelude::*;

extern "C" fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn main() {
    let _ = tick!(|a: i64| -> i64 { add(a) });
}
