use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
struct Point {
    x: i64,
}

fn main() {
    let _ = tick!(|a: i64| -> i64 { let p = Point { x: a }; a });
}
