use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
struct Point {
    _x: i64,
}

fn main() {
    let _ = Var::<Ref<Point>>::local();
}
