use tickc::prelude::*;

fn main() {
    let n = 3;
    let _ = tick!(|a: i32| -> i32 { match a { $n => 1, _ => 2 } });
}
