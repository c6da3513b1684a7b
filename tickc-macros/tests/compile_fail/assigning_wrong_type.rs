use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32| { let mut b = 0i64; b = a; });
}
