use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| -> i64 { const N: i64 = 3; a + N });
}
