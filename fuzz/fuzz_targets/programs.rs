//! Random programs agree on every engine.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickc_generator::engines::Engines;
use tickc_generator::{Program, print, shrink};

thread_local! {
    static ENGINES: Engines = Engines::new().expect("every tier is to be had");
}

fuzz_target!(|program: Program| {
    ENGINES.with(|engines| {
        if engines.check(&program).is_err() {
            let small = shrink::shrink(program, |program| engines.check(program).is_err());
            panic!("{:?}\n{}", engines.check(&small), print::source(&small, "program"));
        }
    });
});
