use tickc::prelude::*;

fn main() {
    let code: Code<i64> = tick!(1);
    std::thread::spawn(move || Jit::new().unwrap().compile(tick!(|| -> i64 { @code })).unwrap().call());
}
