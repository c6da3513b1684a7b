use tickc::AnyCode;
use tickc::prelude::*;

fn main() {
    let code: AnyCode = tick!(1i64).into();
    let _ = tick!(@code + 1);
}
