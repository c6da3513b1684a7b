//! First steps.
#![forbid(unsafe_code)]
use tickc::prelude::*;

fn power<'a>(x: Var<i64>, n: u32) -> Code<'a, i64> {
    if n == 0 {
        tick!(1)
    } else if n % 2 == 0 {
        let half = power(x, n / 2);
        tick!({ let h = @half; h * h })
    } else {
        let rest = power(x, n - 1);
        tick!(@x * @rest)
    }
}

#[test]
fn power_of_13() {
    let jit = Jit::new().unwrap();
    let pow13: Func<fn(i64) -> i64> = jit.compile(tick!(|x: i64| -> i64 { @(power(x, 13)) })).unwrap();
    println!("{}", pow13.disassemble());
    assert_eq!(pow13.call(2), 8192);
    assert_eq!(pow13.stats().instructions, 7);
}
