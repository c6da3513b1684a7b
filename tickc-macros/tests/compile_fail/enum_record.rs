use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
enum Kind {
    A,
    B,
}

fn main() {}
