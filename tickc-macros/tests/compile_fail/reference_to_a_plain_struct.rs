use tickc::prelude::*;

#[derive(Clone, Copy)]
struct Plain {
    _x: i64,
}

fn main() {
    let _ = tick!(|p: Ref<Plain>| {});
}
