use tickc::prelude::*;

fn main() {
    let _ = tick!(|n: usize| { for _ in unroll(4, n) {} });
}
