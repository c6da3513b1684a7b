use tickc::prelude::*;

fn main() {
    let _ = HostFn::new(|x| x + 1);
}
