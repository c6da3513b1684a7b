use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32| -> i32 { match a { 0 => 1, 1 => 2 } });
}
