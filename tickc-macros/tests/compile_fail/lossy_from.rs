use tickc::prelude::*;

fn main() {
    let _ = tick!(|x: i64| -> i32 { i32::from(x) });
}
