use tickc::prelude::*;

fn main() {
    let _ = tick!(|n: i64| { for i in 0..n { i += 1; } });
}
