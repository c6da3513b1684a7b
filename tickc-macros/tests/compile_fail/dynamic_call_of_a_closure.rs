use tickc::DynCall;
use tickc::prelude::*;

fn main() {
    let _ = DynCall::new(&|x: i64| x + 1);
    let _ = tick!(1);
}
