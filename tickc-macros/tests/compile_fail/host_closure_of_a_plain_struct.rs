use tickc::prelude::*;

struct Plain {
    x: i64,
}

fn main() {
    let _ = HostFn::new(|plain: &Plain| plain.x);
}
