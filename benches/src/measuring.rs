//! Measures all candidates of one workload in one run.
//!
//! ```text
//!  program()  ──► checked, counted
//!  compile    ──► rounds: A A A │ B B B │ A A A │ B B B …   (batches of 32)
//!  run        ──► hand, A, B, baseline, hand, A, B, …       (batch by batch)
//! ```

use std::collections::BTreeMap;

use crate::candidates::Candidate;
use crate::clif;
use crate::floor;
use crate::row::{Budget, Row};
use crate::tsc::{Clock, LEAST_BATCH, Samples};
use crate::workloads::{Program, Workload};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds over the candidates, when compiling.
    pub rounds: u32,
    /// Batches of each candidate in a round.
    pub batches: u32,
    /// Batches of each program, when running.
    pub run_batches: u32,
}

impl Effort {
    /// A few seconds in all.
    pub const FULL: Effort = Effort { rounds: 20, batches: 100, run_batches: 2000 };
    /// Under a second: enough to see that everything works.
    pub const QUICK: Effort = Effort { rounds: 4, batches: 15, run_batches: 60 };

    fn batches_for(self, workload: Workload) -> u32 {
        match workload {
            // One of its batches takes as long as hundreds of another's.
            Workload::W6 => (self.batches / 4).max(1),
            _ => self.batches,
        }
    }
}

/// Compile cycles of the empty function by tier, once it has been measured.
pub type EmptyCycles = BTreeMap<String, f64>;

/// Measures one workload. `candidates` are those of `workload`; the hand-allocated code
/// is that of the floor with calls, which must be among them.
///
/// # Errors
/// If a candidate gives no program, or a wrong answer.
pub fn measure(
    clock: Clock,
    workload: Workload,
    candidates: &mut [Box<dyn Candidate>],
    effort: Effort,
    empty: &mut EmptyCycles,
) -> Result<Vec<Row>, String> {
    let named = |tier: &str, e: &dyn std::fmt::Display| format!("{} {tier}: {e}", workload.name());
    let baseline = workload.baseline();
    baseline.check().map_err(|e| named("baseline", &e))?;
    let mut programs = Vec::new();
    for candidate in &mut *candidates {
        let tier = candidate.tier().to_owned();
        let program = candidate.program().map_err(|e| named(&tier, &e))?;
        program.check().map_err(|e| named(&tier, &e))?;
        programs.push(program);
    }
    let hand = candidates
        .iter()
        .position(|c| c.tier() == floor::TIER)
        .ok_or_else(|| named(floor::TIER, &"not among the candidates"))?;
    let clif = candidates.iter().position(|c| c.tier() == clif::TIER);

    let compile = measure_compiling(clock, candidates, effort.rounds, effort.batches_for(workload));
    let run = measure_running(clock, workload, &programs, &baseline, effort.run_batches);
    let (baseline_run, run) = run.split_last().expect("the baseline is last");

    if workload == Workload::Empty {
        for (candidate, samples) in candidates.iter().zip(&compile) {
            empty.insert(candidate.tier().to_owned(), samples.median());
        }
    }
    let beyond_empty = |i: usize| {
        let at_least: &f64 = empty.get(candidates[i].tier())?;
        Some(compile[i].median() - at_least)
    };
    let sizes: Vec<_> = programs.iter().map(|p| p.size).collect();
    let reference = workload
        .reference_instructions()
        .or(sizes[hand].map(|size| size.instructions))
        .ok_or_else(|| named(floor::TIER, &"its instructions are not counted"))?;

    let mut rows = Vec::new();
    for (i, candidate) in candidates.iter().enumerate() {
        let tier = candidate.tier();
        let size = sizes[i].ok_or_else(|| named(tier, &"its instructions are not counted"))?;
        let median = compile[i].median();
        let fragments = candidate.fragments();
        let clif = clif.filter(|_| tier == "cranelift");
        rows.push(Row {
            workload: workload.name().to_owned(),
            tier: tier.to_owned(),
            instructions: size.instructions,
            bytes: size.bytes,
            compile_cycles_min: compile[i].min(),
            compile_cycles_median: median,
            cycles_per_instruction: median / size.instructions as f64,
            run_cycles: run[i].median(),
            baseline_run_cycles: baseline_run.median(),
            hand_run_cycles: run[hand].median(),
            run_ratio_to_hand: run[i].ratio_to(&run[hand]),
            run_ratio_to_clif: clif.map(|clif| run[i].ratio_to(&run[clif])),
            reference_instructions: reference,
            fragments,
            budget_cycles: fragments
                .zip(Budget::of(tier))
                .map(|(fragments, budget)| budget.cycles(fragments, size.instructions, reference)),
            compile_ratio_to_floor: match workload {
                Workload::Empty => None,
                _ => beyond_empty(i).zip(beyond_empty(hand)).map(|(own, floor)| own / floor),
            },
        });
    }
    Ok(rows)
}

fn measure_compiling(clock: Clock, candidates: &mut [Box<dyn Candidate>], rounds: u32, batches: u32) -> Vec<Samples> {
    let mut samples = vec![Samples::default(); candidates.len()];
    for _ in 0..rounds {
        for (candidate, samples) in candidates.iter_mut().zip(&mut samples) {
            let batches = (batches / candidate.thinned()).max(1);
            let mut measure = |count| {
                clock.measure(
                    candidate.as_mut(),
                    LEAST_BATCH,
                    count,
                    |candidate, batch| candidate.compile(batch),
                    |candidate| candidate.retire(),
                )
            };
            // The first batches after another candidate's warm caches and predictors.
            let _ = measure(3.min(batches));
            samples.extend(measure(batches));
        }
    }
    samples
}

/// The programs in turn, the baseline last.
fn measure_running(
    clock: Clock,
    workload: Workload,
    programs: &[Program],
    baseline: &Program,
    repetitions: u32,
) -> Vec<Samples> {
    let bodies: Vec<Box<dyn Fn(u32) + '_>> = programs
        .iter()
        .chain([baseline])
        .map(|program| Box::new(move |calls| program.run(calls)) as Box<dyn Fn(u32)>)
        .collect();
    let bodies: Vec<&dyn Fn(u32)> = bodies.iter().map(AsRef::as_ref).collect();
    clock.run_cycles(&bodies, workload.calls_per_batch(), repetitions)
}
