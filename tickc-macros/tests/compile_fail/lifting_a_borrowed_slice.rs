use tickc::prelude::*;

fn main() {
    let data = vec![1i64];
    let slice = &data[..];
    let _ = tick!(|i: usize| -> i64 { $slice[i] });
}
