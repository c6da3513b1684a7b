use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { let 1 = a else { return 0; }; 1 });
}
