use shapes::Point;
use tickc::prelude::*;

mod shapes {
    #[derive(Clone, Copy, tickc::Record)]
    pub struct Point {
        pub x: i64,
        y: i64,
    }
}

fn main() {
    let _ = tick!(|p: Ref<Point>| -> i64 { p.x + p.y });
}
