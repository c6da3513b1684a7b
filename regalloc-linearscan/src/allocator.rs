//! The pipeline: flow graph → liveness → intervals → placement → rewriting.

use crate::cfg::Cfg;
use crate::coloring::Coloring;
use crate::intervals::Intervals;
use crate::liveness::{Liveness, Precision};
use crate::matrix::Matrix;
use crate::rewrite::Rewrite;
use crate::scan::{Pieces, Scan};
use crate::whole::Whole;
use crate::{Error, Function, Loc, Machine, Output, RegClass, Stats, VReg, checker, rewrite, scan};
use core::ops::Range;

/// Which allocator places the intervals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Algorithm {
    /// Linear scan with lifetime holes, splitting, hints and use positions.
    #[default]
    LinearScan,
    /// The linear scan of Poletto & Sarkar: one location per vreg, lives without holes.
    WholeIntervals,
    /// The same, on lives known by strongly connected components of the flow graph only: no dataflow analysis.
    Coarse,
    /// Registers for the most mentioned vregs: no flow graph.
    UsageCounts,
    /// Graph colouring (Chaitin, Briggs).
    Coloring,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 5] = [
        Algorithm::LinearScan,
        Algorithm::WholeIntervals,
        Algorithm::Coarse,
        Algorithm::UsageCounts,
        Algorithm::Coloring,
    ];
}

/// How to allocate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Which allocator.
    pub algorithm: Algorithm,
    /// Other than 0: pick registers at random, with this seed, among those that would do. For tests.
    pub random_seed: u64,
    /// Run the [checker] on the result; by default in debug builds.
    pub check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { algorithm: Algorithm::default(), random_seed: 0, check: cfg!(debug_assertions) }
    }
}

/// An allocator: buffers that are kept from one function to the next, so that in the steady state nothing is allocated
/// from the heap.
#[derive(Default)]
pub struct Allocator {
    cfg: Cfg,
    liveness: Liveness,
    matrix: Matrix,
    intervals: Intervals,
    pieces: Pieces,
    scan: Scan,
    whole: Whole,
    coloring: Coloring,
    rewrite: Rewrite,
    out: Output,
}

impl Allocator {
    /// An allocator without buffers.
    pub fn new() -> Allocator {
        Allocator::default()
    }

    /// Allocates registers for `f`. Cost: about linear in instructions, operands, and values alive per block.
    ///
    /// # Errors
    /// If the function is malformed or its operands cannot be satisfied. Nothing of it is kept.
    ///
    /// # Panics
    /// With [`Options::check`], if the [checker] finds the allocation wrong: a bug of this crate.
    pub fn run(&mut self, f: &Function, machine: &Machine, options: &Options) -> Result<&Output, Error> {
        self.out.stats = Stats::default();
        self.cfg.build(f)?;
        let precision = match options.algorithm {
            Algorithm::Coarse => Precision::Coarse,
            Algorithm::UsageCounts => Precision::None,
            _ => Precision::Exact,
        };
        self.liveness.compute(f, precision)?;
        let mut classes = [false; RegClass::COUNT];
        for &class in f.classes {
            classes[class as usize] = true;
        }
        self.matrix.clear(2 * f.num_insts(), classes);
        self.intervals.build(f, &self.cfg, &self.liveness, &mut self.matrix)?;
        let (intervals, matrix, pieces) = (&self.intervals, &mut self.matrix, &mut self.pieces);
        let seed = options.random_seed;
        match options.algorithm {
            Algorithm::WholeIntervals | Algorithm::Coarse => {
                self.whole.run(f, machine, intervals, matrix, pieces, seed);
            }
            Algorithm::UsageCounts => self.whole.run_usage_counts(f, machine, intervals, matrix, pieces, seed),
            Algorithm::Coloring => self.coloring.run(f, machine, intervals, matrix, pieces, seed),
            Algorithm::LinearScan => scan::run(
                &mut self.scan,
                f,
                machine,
                &self.cfg,
                &mut self.intervals,
                matrix,
                pieces,
                &mut self.out.stats,
                seed,
            ),
        }
        self.out.stats.intervals = self.pieces.all.len() as u32;
        rewrite::run(
            &mut self.rewrite,
            f,
            machine,
            &self.cfg,
            &self.liveness,
            &self.intervals,
            &self.pieces,
            &mut self.matrix,
            &mut self.out,
        )?;
        if options.check
            && let Err(finding) = checker::check(f, machine, &self.out)
        {
            panic!("{:?} made a wrong allocation: {finding}", options.algorithm);
        }
        Ok(&self.out)
    }

    /// Where a vreg of the function allocated for last is within a range of positions (2 × instruction, + 1 after its
    /// early operands have been read): calls `visit` with ascending ranges and the location there. For debuggers.
    pub fn for_each_location(&self, vreg: VReg, within: Range<u32>, mut visit: impl FnMut(Range<u32>, Loc)) {
        let mut p = self.pieces.first.get(vreg.index()).copied().unwrap_or(u32::MAX);
        while let Some(piece) = self.pieces.all.get(p as usize).filter(|piece| piece.from < within.end) {
            if piece.to > within.start {
                for range in self.intervals.ranges(piece.range) {
                    let (from, to) = (range.from.max(within.start), range.to.min(within.end));
                    if from < to {
                        visit(from..to, self.rewrite.loc(p));
                    }
                }
            }
            p = piece.next;
        }
    }

    /// The result of the last successful [`Allocator::run`].
    pub fn output(&self) -> &Output {
        &self.out
    }
}
