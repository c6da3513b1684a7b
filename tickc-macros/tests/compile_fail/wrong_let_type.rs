use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32| { let b: i64 = a; });
}
