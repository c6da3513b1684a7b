use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
struct Nothing;

fn main() {}
