use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32| -> i32 { match a { _ => 1, 2 => 2 } });
}
