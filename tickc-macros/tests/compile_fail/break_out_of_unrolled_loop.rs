use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { for x in $([1i64, 2]) { if a == x { break; } } a });
}
