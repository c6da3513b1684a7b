//! The main thread's stack is not made by a thread library: its bounds are found in another way.
#![forbid(unsafe_code)]

use tickc::prelude::*;

fn main() -> Result<(), Error> {
    assert_eq!(std::thread::current().name(), Some("main"));
    let jit = Jit::new()?;
    let forever = jit.compile(tick!(fn forever(x: i64) -> i64 { forever(x + 1) + 1 }))?;
    let locals: Vec<Var<i64>> = (0..900).map(|_| Var::local()).collect();
    let locals = &locals;
    let wide = jit.compile(tick!(fn wide(x: i64) -> i64 {
        for (i, v) in $(locals.iter().enumerate()) { @v = x + $(i as i64); }
        let y = wide(x + 1);
        let mut sum = y;
        for v in $(locals.iter()) { sum += @v; }
        sum
    }))?;
    for _ in 0..1000 {
        assert!(matches!(forever.try_call(0), Err(Trap::StackOverflow)));
        assert!(matches!(wide.try_call(0), Err(Trap::StackOverflow)));
    }
    let down = jit.compile(tick!(fn down(n: i64) -> i64 { if n == 0 { 0 } else { down(n - 1) + 2 } }))?;
    assert_eq!(down.call(10_000), 20_000);
    Ok(())
}
