use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: u8| -> u8 { a + 300 });
}
