use tickc::prelude::*;

type I = i64;

fn main() {
    let _ = HostFn::new(|a: I, _: I, _: I, _: I, _: I, _: I, _: I, _: I, _: I, _: I, _: I, _: I, _: I| a);
}
