use tickc::prelude::*;

fn main() {
    let pairs = [(1i64, 2i64)];
    let _ = tick!(|a: i64| -> i64 { let mut s = a; for p in $(pairs) { s += p.0; } s });
}
