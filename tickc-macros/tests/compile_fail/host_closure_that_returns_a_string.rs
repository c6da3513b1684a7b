use tickc::prelude::*;

fn main() {
    let _ = HostFn::new(|x: i64| x.to_string());
}
