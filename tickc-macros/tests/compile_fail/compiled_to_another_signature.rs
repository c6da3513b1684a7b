use tickc::prelude::*;

fn main() {
    let jit = Jit::new().unwrap();
    let _: Func<fn(i32) -> i32> = jit.compile(tick!(|a: i64| -> i64 { a })).unwrap();
}
