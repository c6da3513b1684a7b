use tickc::prelude::*;

fn main() {
    let _ = tick!(|(a, b): i64| -> i64 { a });
}
