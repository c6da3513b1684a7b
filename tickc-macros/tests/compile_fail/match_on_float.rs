use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: f64| -> i32 { match a { 0 => 1, _ => 2 } });
}
