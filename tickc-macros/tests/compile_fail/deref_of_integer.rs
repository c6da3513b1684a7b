use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: i64| -> i64 { unsafe { *p } });
}
