use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
struct Named {
    id: u32,
    name: &'static str,
}

fn main() {}
