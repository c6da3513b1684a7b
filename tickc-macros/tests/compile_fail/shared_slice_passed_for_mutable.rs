use tickc::prelude::*;

fn main() {
    let f = Jit::new().unwrap().compile(tick!(|p: SliceMut<i64>| { p[0] = 1; })).unwrap();
    f.call(&[1, 2, 3]);
}
