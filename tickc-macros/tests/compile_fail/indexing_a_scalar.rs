use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: i64, i: usize| -> i64 { p[i] });
}
