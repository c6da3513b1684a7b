use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: SliceMut<i64>, x: i32| { p[0] = x; });
}
