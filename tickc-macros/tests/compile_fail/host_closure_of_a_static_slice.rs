use tickc::prelude::*;

fn main() {
    let kept = std::sync::Mutex::new(&[][..]);
    let _ = HostFn::new(move |s: &'static [i64]| *kept.lock().unwrap() = s);
}
