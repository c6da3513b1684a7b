use tickc::prelude::*;

#[derive(Clone, Copy, Record)]
#[repr(C, packed)]
struct Header {
    kind: u8,
    len: u32,
}

fn main() {}
