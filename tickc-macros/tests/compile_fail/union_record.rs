use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
union Word {
    a: u32,
    b: f32,
}

fn main() {}
