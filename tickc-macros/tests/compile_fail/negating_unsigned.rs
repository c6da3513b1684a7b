use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: u32| -> u32 { -a });
}
