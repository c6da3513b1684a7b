use tickc::prelude::*;
fn main() {
    let mut group = Jit::new().unwrap().group();
    let f = group.declare::<fn() -> i64>();
    let _ = tick!(|| -> i64 { $f + 1 });
}
