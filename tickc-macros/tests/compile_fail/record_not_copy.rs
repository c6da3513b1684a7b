use tickc::prelude::*;

#[derive(Record)]
struct Point {
    x: i64,
}

fn main() {}
