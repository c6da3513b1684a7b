use tickc::prelude::*;

fn main() {
    let _ = Jit::new().unwrap().compile(tick!(|p: Slice<i64>| -> Slice<i64> { p }));
}
