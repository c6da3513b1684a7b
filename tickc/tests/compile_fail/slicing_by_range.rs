use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<i64>| -> usize { p[1..2].len() });
}
