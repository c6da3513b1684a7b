use tickc::prelude::*;

fn main() {
    let jit = Jit::new().unwrap();
    let f: Func<fn(i64, f64) -> i64> = jit.compile(tick!(|a: i64, b: f64| -> i64 { a })).unwrap();
    f.call(1);
}
