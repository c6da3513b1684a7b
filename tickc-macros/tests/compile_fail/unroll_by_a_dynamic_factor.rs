use tickc::prelude::*;

fn main() {
    let _ = tick!(|n: usize| { for i in unroll(n, 0..10) { let _ = i; } });
}
