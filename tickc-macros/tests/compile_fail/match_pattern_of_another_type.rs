use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32| -> i32 { match a { true => 1, _ => 2 } });
}
