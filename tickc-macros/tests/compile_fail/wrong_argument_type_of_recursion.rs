use tickc::prelude::*;

fn main() {
    let _ = tick!(fn f(a: i64, b: i32) -> i64 { f(b, a) });
}
