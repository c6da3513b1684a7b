//! What stands behind the [`ir::Builder`](crate::ir::Builder) of this tier: its records become machine code when the function ends.

use super::Analysis;
use crate::dump;
use crate::error::Error;
use crate::ir::shape::Shape;
use crate::ir::{Function, Op, Record};
use crate::jit::{Phases, RegisterAllocator, timestamp};
use crate::machine::{Finished, Machine};
use crate::x64::OnePass;

/// The phases behind emission, with their storage.
pub(crate) struct Lowering {
    analysis: Analysis,
    code: OnePass,
    arrivals: Vec<Option<u8>>,
    /// Whether others call the function before it is known what it does.
    pub(crate) declared: bool,
    /// What the last function took, if that is wanted.
    pub(crate) phases: Option<Phases>,
}

impl Lowering {
    pub(crate) fn new() -> Result<Lowering, Error> {
        Ok(Lowering {
            analysis: Analysis::default(),
            code: OnePass::new()?,
            arrivals: Vec::new(),
            declared: false,
            phases: None,
        })
    }

    pub(crate) fn allocate_by(&mut self, allocator: RegisterAllocator) {
        self.analysis.allocate_by(allocator);
    }

    pub(crate) fn code(&self) -> &OnePass {
        &self.code
    }

    pub(crate) fn take_error(&mut self) -> Option<Error> {
        self.code.take_error()
    }

    /// Machine code for a function.
    pub(crate) fn lower(&mut self, f: &mut Function, records: &mut [Record], shape: &mut Shape) -> Finished {
        let time = || if self.phases.is_some() { timestamp() } else { 0 };
        let start = time();
        OnePass::arrivals(f, &mut self.arrivals);
        let registers = OnePass::registers();
        self.analysis.run(f, records, shape, &registers, &self.arrivals, time);
        self.dump(f, records, shape);
        let mut finished = self.code.encode(f, records, shape, self.analysis.allocation(), self.declared);
        if finished.is(Finished::FAILED) && !self.analysis.allocation().has_spare {
            // An operation wanted more registers than the allocator had thought.
            self.code.take_error();
            for record in records.iter_mut().filter(|record| record.op == Op::Label) {
                (record.a, record.b) = (0, 0);
            }
            self.analysis.allocate_again(f, records, shape, &registers, &self.arrivals);
            finished = self.code.encode(f, records, shape, self.analysis.allocation(), self.declared);
        }
        if let Some(phases) = &mut self.phases {
            let [flow, liveness, intervals, allocate] = self.analysis.times;
            phases.flow = flow - start;
            phases.liveness = liveness - flow;
            phases.intervals = intervals - liveness;
            phases.allocate = allocate - intervals;
            phases.encode = timestamp() - allocate;
        }
        finished
    }

    fn dump(&self, f: &mut Function, records: &[Record], shape: &Shape) {
        let dumps = dump::dumps();
        if dumps.ir {
            f.records.clear();
            f.records.extend_from_slice(records);
            eprint!("tickc: LinearScan\n{f}");
        }
        if dumps.live || dumps.alloc {
            let text = self.analysis.print(f, records, shape, &self.arrivals, (dumps.live, dumps.alloc));
            eprint!("tickc: LinearScan, virtual registers\n{text}");
        }
    }
}
