use tickc::prelude::*;

fn main() {
    let host = HostFn::new(|name: String| name.len());
    let _ = tick!($host(1));
}
