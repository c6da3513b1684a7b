use tickc::DynCall;
use tickc::prelude::*;

fn main() {
    let host = HostFn::new(|x: i64| x);
    let mut call = DynCall::new(&host);
    call.arg("one");
}
