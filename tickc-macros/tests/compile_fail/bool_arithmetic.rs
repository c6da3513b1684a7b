use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: bool, b: bool| -> bool { a + b });
}
