use tickc::prelude::*;

fn main() {
    let _ = HostFn::new(|s: &mut [i64]| s[0] = 1);
}
