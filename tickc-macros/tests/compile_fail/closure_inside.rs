use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { let f = |x| x + 1; a });
}
