use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: *const i64| { unsafe { *p = 1 } });
}
