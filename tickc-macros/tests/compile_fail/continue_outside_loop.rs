use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| { if a > 0 { continue; } });
}
