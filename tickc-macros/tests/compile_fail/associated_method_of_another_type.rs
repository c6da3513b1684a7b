use tickc::prelude::*;

fn main() {
    let _ = tick!(|x: i64| -> u64 { u64::rotate_left(x, 3) });
}
