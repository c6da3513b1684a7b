//! What generating code costs, and how fast the generated code is, against
//! yardsticks measured in the same run.
//!
//! ```text
//!  workloads/  W1-W6: data, reference answer, generic Rust baseline
//!      │
//!      ├─► floor         yardstick 1: one real call per instruction  ┐ registers
//!      ├─► dynasm_floor  yardstick 2: `dynasm!` into a bump buffer   ┘ by hand
//!      ├─► clif          the same in CLIF by hand, through `cranelift-jit`
//!      ├─► tiers         `tickc`'s tiers
//!      ├─► candidates    the table of everything that is measured
//!      ▼
//!  measuring (tsc, counts) ──► row ──► verdict ──► src/bin/report.rs, benches/workloads.rs
//! ```
//!
//! | module | one clause |
//! |---|---|
//! | [`workloads`] | the six functions and the empty one, with checks |
//! | [`candidates`] | `trait Candidate`, and the table [`candidates::all`] where a new tier is one line |
//! | [`floor`], [`dynasm_floor`] | the two yardsticks |
//! | [`clif`] | peer of the Cranelift tier |
//! | [`tiers`] | `tickc`'s tiers |
//! | [`assembled`] | a hand-written generator as a `Candidate` |
//! | [`exec`] | executable memory: one region in two views, and the bump buffer |
//! | [`tsc`] | timing in cycles of the time-stamp counter |
//! | [`counts`] | decoded instructions and bytes |
//! | [`measuring`] | one workload, all its candidates, one run |
//! | [`growth`] | whether long functions cost more per instruction |
//! | [`row`], [`verdict`] | the report's rows and the limits they are held to |
//!
//! Commands: `cargo run --release -p benches`, with `-- --json FILE`, `-- --quick`;
//! `cargo bench -p benches` for the same table under criterion.
//!
//! **Rule of comparison.** Machines differ and are noisy: only a ratio between two
//! things measured in one run, and an instruction count, carry over. Everything of one
//! workload is therefore measured in turns, never one candidate after the other.

pub mod assembled;
pub mod candidates;
pub mod clif;
pub mod counts;
pub mod dynasm_floor;
pub mod exec;
pub mod floor;
pub mod growth;
pub mod measuring;
pub mod row;
pub mod tiers;
pub mod tsc;
pub mod verdict;
pub mod workloads;
