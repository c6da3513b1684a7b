use tickc::prelude::*;

fn main() {
    let code: Code<i64> = tick!(1);
    let _ = Jit::new().unwrap().compile(code);
}
