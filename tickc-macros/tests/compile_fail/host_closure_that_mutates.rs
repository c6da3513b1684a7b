use tickc::prelude::*;

fn main() {
    let mut calls = 0;
    let _ = HostFn::new(move |x: i64| {
        calls += 1;
        x + calls
    });
}
