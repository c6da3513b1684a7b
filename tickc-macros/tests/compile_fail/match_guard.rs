use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32| -> i32 { match a { n if n > 0 => 1, _ => 2 } });
}
