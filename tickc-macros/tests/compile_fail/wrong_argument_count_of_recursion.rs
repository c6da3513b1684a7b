use tickc::prelude::*;

fn main() {
    let _ = tick!(fn f(a: i64) -> i64 { f(a, 1) });
}
