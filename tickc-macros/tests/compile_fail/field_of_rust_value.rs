use tickc::prelude::*;

#[derive(Clone, Copy)]
struct Point {
    x: i64,
}

fn main() {
    let points = [Point { x: 1 }];
    let _ = tick!(|a: i64| -> i64 { let mut s = a; for p in $(points) { s += p.x; } s });
}
