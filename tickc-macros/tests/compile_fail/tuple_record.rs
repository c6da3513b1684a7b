use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
struct Pair(i64, i64);

fn main() {}
