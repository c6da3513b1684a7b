use tickc::prelude::*;

fn main() {
    let _ = tick!(|n: usize| { for i in unroll(4, 0..n) { i = 1; } });
}
