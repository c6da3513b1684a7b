use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32, b: i64| -> i32 { match a { 0 => a, _ => b } });
}
