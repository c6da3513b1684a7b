//! The table of everything that is measured.
//!
//! A tier joins by a function that returns its candidates, made with [`built`], and one
//! line in [`all`].

use crate::clif;
use crate::dynasm_floor;
use crate::floor;
use crate::tiers;
use crate::workloads::{Program, Workload};

/// A way to generate one workload's function.
pub trait Candidate {
    /// What is generated.
    fn workload(&self) -> Workload;

    /// Who generates it: the `tier` of the report.
    fn tier(&self) -> &str;

    /// How many fragments are composed, the outermost function included; `None` for a
    /// yardstick that does not compose and is held to no budget.
    fn fragments(&self) -> Option<u32>;

    /// One of how many batches is measured, when compiling: more than 1 for what takes a
    /// thousand times as long.
    fn thinned(&self) -> u32 {
        1
    }

    /// Generates the function `times` times, from the first call of the generator to
    /// the callable pointer. This is what is timed.
    fn compile(&mut self, times: u32);

    /// Frees what `compile` made; not timed.
    fn retire(&mut self);

    /// Generates it once more, to be checked, counted and run.
    ///
    /// # Errors
    /// Why there is none.
    fn program(&mut self) -> Result<Program, String>;
}

/// Every candidate, grouped by tier; a workload's candidates are compared in this order.
#[must_use]
pub fn all() -> Vec<Box<dyn Candidate>> {
    let mut all = Vec::new();
    all.extend(floor::candidates());
    all.extend(dynasm_floor::candidates());
    all.extend(clif::candidates());
    all.extend(tiers::candidates());
    all
}

/// A candidate whose functions are owned handles that free themselves when dropped.
///
/// `make` is what is timed, with one store to keep its handle until the batch is over;
/// `program` wraps a handle, usually by `w1_power::program(size, move |x| f.call(x))`.
pub fn built<H: 'static>(
    workload: Workload,
    tier: &'static str,
    fragments: Option<u32>,
    make: impl FnMut() -> H + 'static,
    program: impl Fn(H) -> Program + 'static,
) -> Box<dyn Candidate> {
    Box::new(Built { workload, tier, fragments, make, program, live: Vec::new() })
}

struct Built<H, M, P> {
    workload: Workload,
    tier: &'static str,
    fragments: Option<u32>,
    make: M,
    program: P,
    /// The functions of the batch under way; its capacity is reused.
    live: Vec<H>,
}

impl<H, M: FnMut() -> H, P: Fn(H) -> Program> Candidate for Built<H, M, P> {
    fn workload(&self) -> Workload {
        self.workload
    }

    fn tier(&self) -> &str {
        self.tier
    }

    fn fragments(&self) -> Option<u32> {
        self.fragments
    }

    fn thinned(&self) -> u32 {
        // An optimizing compiler, which has no budget.
        if self.fragments.is_some() { 1 } else { 50 }
    }

    fn compile(&mut self, times: u32) {
        for _ in 0..times {
            self.live.push((self.make)());
        }
    }

    fn retire(&mut self) {
        self.live.clear();
    }

    fn program(&mut self) -> Result<Program, String> {
        Ok((self.program)((self.make)()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_gives_the_right_answer() {
        for mut candidate in all() {
            let (name, tier) = (candidate.workload().name(), candidate.tier().to_owned());
            let program = candidate.program().expect("a program");
            let checked = program.check();
            assert!(checked.is_ok(), "{name} {tier}: {checked:?}");
        }
    }

    #[test]
    fn yardsticks_have_the_reference_number_of_instructions() {
        for mut candidate in all() {
            let Some(reference) = candidate.workload().reference_instructions() else {
                continue;
            };
            if candidate.tier().starts_with("floor") {
                let size = candidate.program().expect("a program").size;
                let name = candidate.workload().name();
                let instructions = size.map(|size| size.instructions);
                assert_eq!(instructions, Some(reference), "{name} {}", candidate.tier());
            }
        }
    }

    #[test]
    fn handles_live_until_the_batch_is_over() {
        use crate::workloads::w1_power;
        use std::rc::Rc;

        let handle = Rc::new(());
        let made = Rc::clone(&handle);
        let mut candidate = built(Workload::W1, "test", Some(1), move || Rc::clone(&made), |_| w1_power::baseline());
        let before = Rc::strong_count(&handle);
        candidate.compile(32);
        assert_eq!(Rc::strong_count(&handle), before + 32);
        candidate.retire();
        assert_eq!(Rc::strong_count(&handle), before);
    }
}
