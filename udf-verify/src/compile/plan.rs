//! What is decided about a function before its code is made.
#![forbid(unsafe_code)]

use tickc::prelude::*;

use super::liveness;
use crate::opcode::Form;
use crate::program::Inst;
use crate::state::Verified;
use crate::verify::{MAX_DEPTH, Verdict};

/// How deep the rest of a block may be nested in arms before it is tested for instead.
pub(super) const MAX_NESTING: u32 = 64;

/// What is known of an instruction.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    /// `if`: whether its arms always leave the block, by whatever way.
    pub(super) then_leaves: bool,
    pub(super) else_leaves: bool,
    /// `if`: whether a `break` or `next` in its first, in its second arm leaves it.
    pub(super) then_escapes: bool,
    pub(super) else_escapes: bool,
    /// `loop`: whether it has a `break`.
    pub(super) breaks: bool,
    /// `loop`: whether statements in it may have to be tested for having been left.
    pub(super) tests: bool,
    /// How many loops it lies in.
    pub(super) depth: u8,
    /// A load's verdict.
    pub(super) verdict: Option<Verdict>,
    /// A load's index, which the machine scales by the load's width: its base is that times the width.
    pub(super) index: Option<u8>,
    /// Whether nobody reads the result and the instruction does nothing else.
    pub(super) dead: bool,
}

impl Mark {
    /// Whether a `break` or `next` leaves the `if`.
    pub(super) fn escapes(self) -> bool {
        self.then_escapes || self.else_escapes
    }

    /// Whether the rest of the block can become part of an arm: what leaves the `if` is the other one, as a whole.
    pub(super) fn takes_rest(self) -> bool {
        self.then_leaves && (self.else_leaves || !self.else_escapes) || self.else_leaves && !self.then_escapes
    }
}

/// The function, its variables, and what is known of its instructions.
pub(super) struct Plan<'a> {
    pub(super) insts: &'a [Inst],
    pub(super) marks: Vec<Mark>,
    pub(super) unit: u32,
    pub(super) registers: [Var<u64>; 32],
    /// Of the loops at each depth: the bound, and whether the round has been left.
    pub(super) bounds: [Var<u64>; MAX_DEPTH],
    pub(super) left: [Var<u64>; MAX_DEPTH],
    /// The registers that matter most, the first one most.
    pub(super) order: Vec<u8>,
}

/// A block that is open.
#[derive(Clone, Copy, Default)]
struct Open {
    start: usize,
    is_loop: bool,
    in_else: bool,
    /// Whether the arm so far ends in something that leaves.
    leaves: bool,
    /// Registers read in it.
    reads: u32,
}

impl Plan<'_> {
    pub(super) fn new(verified: &Verified) -> Plan<'_> {
        let insts = &verified.facts.program.insts;
        let mut plan = Plan {
            insts,
            marks: vec![Mark::default(); insts.len()],
            unit: verified.header().unit,
            registers: std::array::from_fn(|_| Var::local()),
            bounds: std::array::from_fn(|_| Var::local()),
            left: std::array::from_fn(|_| Var::local()),
            order: Vec::new(),
        };
        let mut loads = verified.facts.loads.iter();
        for (inst, mark) in insts.iter().zip(&mut plan.marks) {
            if let Form::Load { .. } = inst.op.form() {
                mark.verdict = loads.next().map(|load| load.verdict);
            }
        }
        liveness::scaled_indexes(insts, &mut plan.marks);
        let mut loop_reads = Vec::with_capacity(verified.facts.loops.len());
        let (mut open, mut depth, mut loops, mut escaping) = ([Open::default(); MAX_DEPTH], 0, 0, 0);
        for (at, inst) in insts.iter().enumerate() {
            let form = inst.op.form();
            plan.marks[at].depth = loops;
            if let Some(block) = open[..depth].last_mut() {
                block.reads |= liveness::reads(inst, &plan.marks[at]);
            }
            match form {
                Form::If(_) | Form::Loop => {
                    let is_loop = form == Form::Loop;
                    open[depth] = Open { start: at, is_loop, ..Open::default() };
                    depth += 1;
                    if is_loop {
                        loops += 1;
                    }
                }
                Form::Else => {
                    let arm = &mut open[depth - 1];
                    plan.marks[arm.start].then_leaves = std::mem::take(&mut arm.leaves);
                    arm.in_else = true;
                }
                Form::End => {
                    depth -= 1;
                    let Open { start, is_loop, leaves, reads, .. } = open[depth];
                    if let Some(around) = open[..depth].last_mut() {
                        around.reads |= reads;
                    }
                    let mark = &mut plan.marks[start];
                    if is_loop {
                        loops -= 1;
                        loop_reads.push(reads);
                    } else {
                        let has_else = insts[start].link as usize != at;
                        *(if has_else { &mut mark.else_leaves } else { &mut mark.then_leaves }) = leaves;
                        let mark = *mark;
                        if mark.escapes() {
                            let around = open[..depth].iter().rev().find(|open| open.is_loop);
                            let around = around.expect("verified: what escapes lies in a loop");
                            escaping += 1;
                            plan.marks[around.start].tests |= !mark.takes_rest();
                        }
                        if mark.then_leaves && mark.else_leaves && depth > 0 {
                            open[depth - 1].leaves = true;
                        }
                    }
                }
                Form::Break | Form::Next | Form::Return | Form::Fail => {
                    if depth > 0 {
                        open[depth - 1].leaves = true;
                    }
                    if matches!(form, Form::Break | Form::Next) {
                        plan.marks[inst.link as usize].breaks |= form == Form::Break;
                        for block in open[..depth].iter().rev().take_while(|open| !open.is_loop) {
                            let mark = &mut plan.marks[block.start];
                            *(if block.in_else { &mut mark.else_escapes } else { &mut mark.then_escapes }) = true;
                        }
                    }
                }
                _ => {}
            }
        }
        if escaping + MAX_DEPTH as u32 >= MAX_NESTING {
            // Somewhere the rest of a block may have to be tested for because it cannot be nested any more.
            plan.marks.iter_mut().for_each(|mark| mark.tests = true);
        }
        liveness::mark_dead(insts, &mut plan.marks, &loop_reads);
        plan.order = order(insts, &plan.marks);
        plan
    }

    /// The instruction behind the statement that starts at `at`.
    pub(super) fn behind(&self, at: usize) -> usize {
        match self.insts[at].op.form() {
            Form::If(_) => self.end_of_if(at) + 1,
            Form::Loop => self.insts[at].link as usize + 1,
            _ => at + 1,
        }
    }

    /// The `end` of the `if` at `at`.
    pub(super) fn end_of_if(&self, at: usize) -> usize {
        let link = self.insts[at].link as usize;
        if self.insts[link].op.form() == Form::Else { self.insts[link].link as usize } else { link }
    }
}

/// The registers that are used, those that matter most first. Every loop is taken to have eight rounds.
fn order(insts: &[Inst], marks: &[Mark]) -> Vec<u8> {
    let mut weights = [0u64; 32];
    for (inst, mark) in insts.iter().zip(marks).filter(|(_, mark)| !mark.dead) {
        let form = inst.op.form();
        let weight = 1u64 << (3 * mark.depth);
        let mut used = liveness::reads(inst, mark);
        while used != 0 {
            weights[used.trailing_zeros() as usize] += weight;
            used &= used - 1;
        }
        if form.writes() {
            // A counter is counted and compared in each round.
            weights[usize::from(inst.a & 31)] += if form == Form::Loop { 16 * weight } else { weight };
        }
    }
    let mut order: Vec<u8> = (0..32).filter(|&r| weights[usize::from(r)] != 0).collect();
    order.sort_by_key(|&r| std::cmp::Reverse(weights[usize::from(r)]));
    order
}
