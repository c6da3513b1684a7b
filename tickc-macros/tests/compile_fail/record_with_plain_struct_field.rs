use tickc::prelude::*;

#[derive(Clone, Copy)]
struct Plain(i64);

#[derive(Clone, Copy, Record)]
struct Outer {
    inner: Plain,
}

fn main() {}
