use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: Slice<i64>| { for x in p {} });
}
