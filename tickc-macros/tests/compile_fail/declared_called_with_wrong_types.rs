use tickc::prelude::*;
fn main() {
    let mut group = Jit::new().unwrap().group();
    let f = group.declare::<fn(i64) -> i64>();
    let _ = tick!(|x: i32| -> i64 { $f(x) });
}
