//! The linear-scan tier: a function's records are analyzed, its virtual registers get homes, then the code is written. ICODE's
//! heir (Poletto, Hsieh, Engler & Kaashoek, "'C and tcc", TOPLAS 1999, section 5.2; Poletto & Sarkar, "Linear Scan Register
//! Allocation", TOPLAS 1999).
//!
//! ```text
//!   emit      the closures record the function, and with it where each register is born and last read (ir::shape)
//!   flow      loops, and which loop lies in which                                                   flow.rs
//!   liveness  what nobody reads is removed, if there is anything                                    dead.rs
//!   intervals what each register would like to be, and, as part of the next phase, from birth to
//!             last read, to the end of the loops that it is carried around                          intervals.rs
//!   allocate  IntervalScan of regalloc-linearscan: a register or a slot for each interval           allocate.rs
//!   encode    the records become machine code, by the functions of the one-pass tier                x64/linear.rs
//! ```
//!
//! # Why there is no data-flow analysis
//! Every register is written before it is read, on every way (N2), and loops are entered at their tops only, unless there are labels
//! of the user's. Then a register is alive around a loop exactly if it was born before the loop and is read in it: without
//! sets of live registers, an interval is as good as the position of its last read and the tree of loops can make it. With
//! labels, whatever leaves its basic block is taken to be alive from the first loop to the last one.
//!
//! # What was tried
//! `docs/LINEAR_SCAN.md` tells what else was measured.

mod allocate;
mod dead;
mod flow;
mod intervals;
mod lower;

pub(crate) use allocate::{Allocation, Home, Registers};
pub(crate) use lower::Lowering;

use crate::ir::shape::Shape;
use crate::ir::{Function, Record};
use crate::jit::RegisterAllocator;
use allocate::Allocator;
use flow::Flow;
use intervals::Known;

/// Everything between the records and the machine code. Its storage is reused from one function to the next.
#[derive(Default)]
pub(crate) struct Analysis {
    flow: Flow,
    allocator: Allocator,
    dead: dead::Elimination,
    /// The time after each phase, if it is wanted.
    pub(crate) times: [u64; 4],
}

impl Analysis {
    /// Finds a home for every virtual register of a function.
    #[inline]
    pub(crate) fn run(
        &mut self,
        f: &Function,
        records: &mut [Record],
        shape: &mut Shape,
        registers: &Registers,
        arrivals: &[Option<u8>],
        time: impl Fn() -> u64,
    ) {
        self.flow.find(records, shape);
        self.times[0] = time();
        if shape.retracted || dead::is_anything_dead(f, records, shape) {
            self.dead.run(f, records, shape);
        }
        self.times[1] = time();
        intervals::wish(f, records, shape, registers);
        self.times[2] = time();
        let known = Known { f, records, shape, flow: &self.flow, registers, arrivals };
        self.allocator.run(known);
        self.times[3] = time();
        #[cfg(debug_assertions)]
        self.allocator.check(known);
    }

    /// How to allocate registers from here on.
    pub(crate) fn allocate_by(&mut self, method: RegisterAllocator) {
        self.allocator.method = method;
    }

    /// The homes found.
    #[inline]
    pub(crate) fn allocation(&self) -> &Allocation {
        self.allocator.allocation()
    }

    /// Homes that leave registers over at every record.
    pub(crate) fn allocate_again(
        &mut self,
        f: &Function,
        records: &[Record],
        shape: &Shape,
        registers: &Registers,
        arrivals: &[Option<u8>],
    ) {
        let known = Known { f, records, shape, flow: &self.flow, registers, arrivals };
        self.allocator.run_with_slots(known, true);
        #[cfg(debug_assertions)]
        self.allocator.check(known);
    }

    /// Intervals and homes as text, for `TICKC_DUMP`.
    pub(crate) fn print(
        &self,
        f: &Function,
        records: &[Record],
        shape: &Shape,
        arrivals: &[Option<u8>],
        (live, alloc): (bool, bool),
    ) -> String {
        let registers = &crate::x64::OnePass::registers();
        let known = Known { f, records, shape, flow: &self.flow, registers, arrivals };
        self.allocator.print(known, live, alloc)
    }
}
