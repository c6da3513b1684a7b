use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
struct Point {
    x: i64,
}

fn main() {
    let _ = tick!(|p: Ref<Point>| { p.x = 1; });
}
