use tickc::prelude::*;

fn main() {
    let _ = tick!(|x: u64| -> u64 { (x as u128) as u64 });
}
