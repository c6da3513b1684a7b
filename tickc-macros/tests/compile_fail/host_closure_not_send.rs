use std::rc::Rc;
use tickc::prelude::*;

fn main() {
    let shared = Rc::new(1i64);
    let _ = HostFn::new(move |x: i64| x + *shared);
}
