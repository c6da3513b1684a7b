#![forbid(unsafe_code)]
use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: *const i64| -> i64 { unsafe { *p } });
}
