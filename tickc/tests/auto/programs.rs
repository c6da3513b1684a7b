//! Random programs in `Tier::Auto`: the first code and the better one do what the operators of Rust do.
//!
//! `TICKC_RANDOM_CASES` and `TICKC_RANDOM_SEED` as in `random.rs`.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tickc::prelude::*;
use tickc_generator::eval::{self, Stop};
use tickc_generator::functions::Callees;
use tickc_generator::memory::{inputs, same, same_memory};
use tickc_generator::{engines, stage};

#[test]
fn programs_do_the_same_before_and_after() {
    let number = |name: &str| std::env::var(name).ok().map(|n| n.parse::<u64>().expect("a number"));
    let cases = number("TICKC_RANDOM_CASES").unwrap_or(150);
    let seed = number("TICKC_RANDOM_SEED").unwrap_or(1);
    engines::with_deep_stack(|| {
        let jit = Jit::builder().tier(Tier::Auto).hot_after(0).build().unwrap();
        let other = Jit::builder().tier(Tier::OnePass).build().unwrap();
        let callees = Rc::new(Callees::new(&jit, &other).unwrap());
        let (mut called, mut better) = (0, 0);
        for i in 0..cases {
            let program = engines::program(seed, i);
            let compiled = stage::compile(&jit, &callees, &program).unwrap();
            let inputs: Vec<_> = inputs(&program)
                .into_iter()
                .map(|(args, memory)| (eval::run(&program, &args, memory.clone()), args, memory))
                .filter(|((value, _), ..)| *value != Err(Stop::Fuel))
                .collect();
            let check = || {
                for ((value, after), args, memory) in &inputs {
                    let mut written = memory.clone();
                    let got = callees.with(&mut written, |memory| (compiled.call)(args, memory));
                    let is_same = match (value, &got) {
                        (Ok(value), Ok(got)) => same(program.value.ty, *value, *got),
                        (value, got) => value == got,
                    };
                    assert!(
                        is_same && same_memory(after, &written),
                        "program {i} of seed {seed}, {args:x?} {memory:?}: expected {value:x?}\n{after:?}\ngot {got:x?}\n\
                         {written:?}\n{program:?}\n{}",
                        (compiled.text)()
                    );
                }
            };
            let first = (compiled.text)();
            check();
            let end = Instant::now() + Duration::from_secs(10);
            while !inputs.is_empty() && (compiled.text)() == first && Instant::now() < end {
                std::thread::sleep(Duration::from_micros(200));
            }
            called += u64::from(!inputs.is_empty());
            better += u64::from((compiled.text)() != first);
            check();
        }
        assert!(better * 10 >= called * 9, "{better} of {called} programs got better code");
    });
}
