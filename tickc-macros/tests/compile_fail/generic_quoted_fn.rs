use tickc::prelude::*;

fn main() {
    let _ = tick!(fn f<T>(a: i64) -> i64 { a });
}
