use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: f64| -> *const u8 { a as *const u8 });
}
