use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| { while let 1 = a {} });
}
