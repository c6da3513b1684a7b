use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { if let 1 = a { 1 } else { 2 } });
}
