use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<i64>| -> Slice<i64> { p });
}
