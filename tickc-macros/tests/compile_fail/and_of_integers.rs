use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64, b: i64| -> bool { a && b });
}
