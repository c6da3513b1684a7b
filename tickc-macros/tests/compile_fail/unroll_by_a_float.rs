use tickc::prelude::*;

fn main() {
    let _ = tick!(|n: usize| { for _ in unroll(2.0, 0..n) {} });
}
