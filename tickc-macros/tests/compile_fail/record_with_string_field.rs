use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
struct Named {
    id: u32,
    name: String,
}

fn main() {}
