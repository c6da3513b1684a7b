use tickc::prelude::*;

fn main() {
    let _ = tick!(|x: i32| -> i32 { x.mul_add(2, 3) });
}
