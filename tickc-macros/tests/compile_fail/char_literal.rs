use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: u8| -> bool { a == 'x' });
}
