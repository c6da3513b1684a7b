//! Labels: places that jumps from anywhere in the function go to.
//!
//! A label needs nothing of the machine but jump lists, as all state of a function is static: a variable has one home while it
//! is in scope, and between statements nothing but variables is alive. What is asked of a jump is that every variable in scope
//! at the label is in scope at the jump, too; then it has its value, since its scope is entered by its `let` only.
//!
//! # Invariants
//! - L1: scopes nest. So a jump is right if, of the variables in scope at the label, the one bound last is in scope at the jump.
//! - L2: a variable in scope at a label that has been placed keeps its home until its scope ends ([`Emitter::take`]), as a jump
//!   may come back.
//! - L3: a local seen for the first time behind a label or a jump is zeroed by the prologue. One seen before them all may be
//!   zeroed where it stands, as every jump and every label comes later.
//! - L4: no temporary, no pinned slice and no condition is alive at a label: [`Emitter::is_operand`] tells.
//!
//! Cost: constant per jump and label; nothing for functions without.

use std::panic::Location;

use rustc_hash::FxHashMap;

use super::{Emitter, Val};
use crate::error::Error;
use crate::machine::{JumpList, Operand, Place};

/// Where something stands in the Rust program.
pub(crate) type Source = &'static Location<'static>;

/// The labels of the function under construction.
#[derive(Default)]
pub(super) struct Labels {
    /// By the number of the label.
    states: FxHashMap<u64, State>,
    /// Whether the function has jumped to a label or placed one.
    used: bool,
    /// The variable in scope that was bound last, and the length of the table, when that was asked last: of those in between none
    /// is in scope.
    last: (u32, u32),
}

/// What is known of a label.
struct State {
    made: Source,
    placed: Option<Placed>,
    /// Jumps that wait for it.
    pending: JumpList,
    /// Of the jumps that wait for it the one that sees the fewest variables, and how many those are.
    fewest: Option<(u32, Source)>,
}

#[derive(Clone, Copy)]
struct Placed {
    place: Place,
    at: Source,
    /// The variable in scope that was bound last.
    last: Option<u32>,
}

impl Labels {
    pub(super) fn is_used(&self) -> bool {
        self.used
    }

    /// Forgets which variables are known not to be in scope.
    pub(super) fn forget_last(&mut self) {
        self.last = (0, 0);
    }
}

/// A label as quotations hold it: its number, and where it was made.
#[derive(Clone, Copy)]
pub(crate) struct LabelId {
    pub(crate) number: u64,
    pub(crate) made: Source,
}

impl Emitter {
    /// The state of a label, new if this is its first use in the function.
    fn label(&mut self, label: LabelId) -> &mut State {
        if !self.labels.used {
            self.labels.used = true;
            self.machine.has_labels();
            // From here on nothing is sure to be reached once in each call (L3).
            self.nesting += u32::from(!fault!(50));
        }
        let new = || State { made: label.made, placed: None, pending: 0, fewest: None };
        self.labels.states.entry(label.number).or_insert_with(new)
    }

    /// `label.here()`
    pub(crate) fn label_here(&mut self, label: LabelId, at: Source) {
        let made = label.made;
        if self.is_operand() {
            return self.set_error(Error::LabelInOperand { made, placed: at });
        }
        let last = self.vars.last_in_scope(self.labels.last);
        self.labels.last = (last.map_or(0, |last| last + 1), self.vars.len());
        let place = self.machine.here();
        let state = self.label(label);
        if let Some(Placed { at: first, .. }) = state.placed {
            return self.set_error(Error::LabelPlacedTwice { made, first, second: at });
        }
        state.placed = Some(Placed { place, at, last });
        let (pending, fewest) = (std::mem::take(&mut state.pending), state.fewest);
        self.machine.land(if fault!(51) { 0 } else { pending });
        self.labelled = self.vars.len();
        if let (Some(last), Some((seen, used))) = (last, fewest)
            && last >= seen
        {
            self.set_error(Error::JumpPastLet { used, placed: at });
        }
    }

    /// `label.goto()`
    pub(crate) fn label_goto(&mut self, label: LabelId, at: Source) {
        let jump = self.machine.jump();
        self.go(jump, label, at);
    }

    /// `label.goto_if(condition)`
    pub(crate) fn label_goto_if(&mut self, condition: Val<bool>, label: LabelId, at: Source) {
        let condition = condition.into_operand();
        if !condition.is_const() {
            let jump = self.machine.jump_if_true(condition);
            self.go(jump, label, at);
        } else if condition.body != 0 {
            self.label_goto(label, at);
        }
    }

    /// Lets a pending jump, which stands at `at` in the program, go to a label.
    fn go(&mut self, jump: JumpList, label: LabelId, at: Source) {
        let seen = self.vars.len();
        let state = self.label(label);
        let Some(Placed { place, at: placed, last }) = state.placed else {
            if state.fewest.is_none_or(|(fewest, _)| seen < fewest) {
                state.fewest = Some((seen, at));
            }
            let pending = state.pending;
            let pending = self.machine.merge(pending, jump);
            self.label(label).pending = pending;
            return;
        };
        self.machine.send(jump, place);
        if last.is_some_and(|last| !self.vars.is_in_scope(last)) {
            self.set_error(Error::JumpPastLet { used: at, placed });
        }
    }

    /// `Label::table(index, labels)`
    pub(crate) fn label_table(&mut self, index: Val<usize>, labels: &[LabelId], at: Source) {
        let index = self.checked_index(index.into_operand(), Operand::constant(labels.len() as u64));
        if index.is_const() {
            // Of a constant past the end the check is a trap.
            if let Some(&label) = labels.get(index.body as usize) {
                self.label_goto(label, at);
            }
            return;
        }
        if labels.is_empty() {
            return self.machine.release(index);
        }
        let mut jumps = Vec::with_capacity(labels.len());
        self.machine.switch(index, labels.len() as u32, &mut jumps);
        for (&jump, &label) in jumps.iter().zip(labels) {
            self.go(jump, label, at);
        }
    }

    /// The end of a function with labels: all that are jumped to have been placed.
    #[cold]
    pub(super) fn end_labels(&mut self) {
        let lost = self.labels.states.values().filter(|state| state.placed.is_none());
        let first = lost
            .filter_map(|state| Some((state.fewest?.1, state.made)))
            .min_by_key(|(used, _)| (used.file(), used.line(), used.column()));
        if let Some((used, made)) = first {
            self.set_error(Error::LabelNotPlaced { made, used });
        }
        self.clear_labels();
    }

    /// Forgets all labels.
    pub(super) fn clear_labels(&mut self) {
        self.labels.states.clear();
        self.labels.used = false;
        self.labels.forget_last();
        self.labelled = 0;
    }
}
