use tickc::prelude::*;

fn main() {
    let _ = tick!(|x: u32| -> u32 { x.unsigned_abs() });
}
