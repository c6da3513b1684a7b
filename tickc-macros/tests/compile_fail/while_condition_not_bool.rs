use tickc::prelude::*;

fn main() {
    let _ = tick!(|a: i64| { while a {} });
}
