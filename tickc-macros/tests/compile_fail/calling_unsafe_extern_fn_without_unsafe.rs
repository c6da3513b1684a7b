#![allow(unsafe_code)]
use tickc::prelude::*;

unsafe extern "C" fn peek(a: i64) -> i64 {
    a
}

fn main() {
    let _ = tick!(|a: i64| -> i64 { peek(a) });
}
