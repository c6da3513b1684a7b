//! Removes what nobody reads: definitions without effect, and what only they read.

use crate::ir::shape::{Shape, position};
use crate::ir::{ArgValue, Function, Op, Record};

/// Whether anything was computed that nobody reads.
#[inline]
pub(super) fn is_anything_dead(f: &Function, records: &[Record], shape: &Shape) -> bool {
    shape.lives.iter().enumerate().skip(f.params.len()).any(|(reg, life)| {
        life.end() == 0 && {
            // An address and a load may come before the record that writes it.
            let first = records.iter().skip(life.start() as usize).take(3);
            first.copied().any(|record| record.defined() == Some(reg as u32) && record.is_pure())
        }
    })
}

/// Its storage.
#[derive(Default)]
pub(super) struct Elimination {
    /// How many records read each register.
    reads: Vec<u32>,
}

impl Elimination {
    /// Turns records without effect into labels, and finds the last reads anew.
    #[cold]
    pub(super) fn run(&mut self, f: &Function, records: &mut [Record], shape: &mut Shape) {
        self.reads.clear();
        self.reads.resize(f.vregs as usize, 0);
        for record in &*records {
            for reg in record.reads() {
                self.reads[reg as usize] += 1;
            }
        }
        for arg in &f.args {
            if let ArgValue::Reg(reg) = arg.value {
                self.reads[reg as usize] += 1;
            }
        }
        // What only the next record reads goes with it.
        let mut next_is_gone = false;
        for record in records.iter_mut().rev() {
            let is_forward = record.defined().is_some_and(|reg| shape.forwards.contains(&reg));
            let is_read =
                if is_forward { !next_is_gone } else { !record.is_pure() || self.reads[record.dst as usize] != 0 };
            next_is_gone = !is_read;
            if !is_read {
                for reg in record.reads() {
                    self.reads[reg as usize] -= 1;
                }
                *record = Record { op: Op::Label, dst: 0, a: 0, b: 0, ..*record };
            }
        }
        for life in &mut shape.lives[..] {
            life.set_end(0);
        }
        for (at, record) in records.iter().enumerate() {
            let late = record.op == Op::Binary && !record.binary_op().commutes();
            let is_forward = matches!(record.op, Op::Load | Op::LoadX) && shape.forwards.contains(&record.dst);
            for (i, reg) in record.reads().enumerate() {
                shape.read(reg, at, late && i == 1);
                if is_forward {
                    shape.read_address(reg, at + 1);
                }
            }
            if record.op == Op::Call {
                for arg in f.args_of(&f.calls[record.a as usize]) {
                    if let ArgValue::Reg(reg) = arg.value {
                        shape.read(reg, at, false);
                    }
                }
            }
        }
        debug_assert!(shape.lives.iter().all(|life| life.end() <= position(records.len() as u32) + 1));
    }
}
