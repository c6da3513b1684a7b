use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<i64>, i: i32| -> i64 { p[i] });
}
