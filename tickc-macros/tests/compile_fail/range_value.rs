use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: usize| -> usize { let r = 0..a; a });
}
