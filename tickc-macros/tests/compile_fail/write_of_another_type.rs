use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: *mut i64, v: i32| { unsafe { p.write(v); } });
}
