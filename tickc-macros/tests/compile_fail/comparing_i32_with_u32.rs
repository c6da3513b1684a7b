use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i32, b: u32| -> bool { a < b });
}
