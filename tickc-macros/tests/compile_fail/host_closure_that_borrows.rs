use tickc::prelude::*;

fn main() {
    let local = 1i64;
    let _ = HostFn::new(|x: i64| x + local);
}
