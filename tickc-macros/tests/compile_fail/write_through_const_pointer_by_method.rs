use tickc::prelude::*;

fn main() {
    let _ = tick!(|p: *const i64| { unsafe { p.write_volatile(1); } });
}
