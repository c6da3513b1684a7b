//! Programs as source: rustc takes it, and it means what the program means.
//!
//! Whether `printed.txt` is up to date is looked at in `generator.rs`, which can also write it anew.
#![allow(unused, unsafe_code, clippy::all, clippy::undocumented_unsafe_blocks, reason = "generated source")]

use std::rc::Rc;

use tickc::prelude::*;
use tickc_generator::engines;
use tickc_generator::eval::{self, Stop};
use tickc_generator::functions::*;
use tickc_generator::memory::*;
use tickc_generator::stats::Statistics;

const SEED: u64 = 7;

trait Bits {
    fn bits(self) -> u64;
}
macro_rules! bits {
    ($($t:ident)*) => {$(impl Bits for $t { fn bits(self) -> u64 { self as u64 } })*};
}
bits!(i64 u8 bool i16);
impl Bits for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }
}
impl Bits for f32 {
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}

/// The programs printed, all with the shorter list of parameters.
macro_rules! programs {
    ($($name:ident $number:literal)*) => {
        const NUMBERS: &[u64] = &[$($number),*];

        fn run_all(jit: &Jit, callees: &'static Callees) {
            $({
                let program = engines::program(SEED, $number);
                let f = $name(jit, callees).expect(stringify!($name));
                for (args, memory) in inputs(&program) {
                    let (want, after) = eval::run(&program, &args, memory.clone());
                    if want == Err(Stop::Fuel) {
                        continue;
                    }
                    let mut m = memory;
                    let (a, b, c, d) = (args[0] as i64, args[1] as u32, f64::from_bits(args[2]), args[3] as usize);
                    let p = callees.pointer();
                    let got = callees.with(&mut m, |m| {
                        f.try_call(a, b, c, d, &mut m.s, &mut m.t, &mut m.w, &mut m.q, &mut m.record, p)
                    });
                    let agrees = match (&want, got) {
                        (Ok(want), Ok(got)) => same(program.value.ty, *want, got.bits()),
                        (Err(_), Err(_)) => true,
                        _ => false,
                    };
                    assert!(agrees && same_memory(&after, &m), "{} called with {args:x?}", stringify!($name));
                }
            })*
        }
    };
}
include!("printed.txt");

#[test]
fn the_source_means_what_the_program_means() {
    engines::with_deep_stack(|| {
        for tier in [Tier::OnePass, Tier::Interp] {
            let jit = Jit::builder().tier(tier).build().unwrap();
            run_all(&jit, Box::leak(Box::new(Callees::new(&jit, &jit).unwrap())));
        }
    });
}

/// Nearly every construct is in what is printed.
#[test]
fn most_is_printed() {
    engines::with_deep_stack(|| {
        let mut statistics = Statistics::default();
        NUMBERS.iter().for_each(|&number| statistics.add(&engines::program(SEED, number), &Vec::new()));
        let names = statistics.counts().count();
        assert!(names >= 150, "{names} names occur\n{statistics}");
    });
}
