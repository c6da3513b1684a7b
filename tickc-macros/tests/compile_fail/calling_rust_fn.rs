use tickc::prelude::*;

fn double(a: i64) -> i64 {
    a * 2
}

fn main() {
    let _ = tick!(|a: i64| -> i64 { double(a) });
}
