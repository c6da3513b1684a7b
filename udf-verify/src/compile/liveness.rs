//! Loads that can take their scaled index as it is, and instructions whose result nobody reads.
//!
//! - [`scaled_indexes`], forward: where the base of a proved load is another register times the width of the load, the machine
//!   scales by itself. What is known of a register ends where it or the other one is written, and at the bounds of blocks.
//! - [`mark_dead`], backward: what is read later. In a loop whatever its body reads anywhere counts as read, so that one walk
//!   is enough; and what an instruction that is dead itself reads does not count.
//!
//! Cost: linear.
#![forbid(unsafe_code)]

use super::plan::Mark;
use crate::opcode::{Alu, Form};
use crate::program::{Inst, Operand};
use crate::verify::{MAX_DEPTH, Verdict};

/// Sets [`Mark::index`].
pub(super) fn scaled_indexes(insts: &[Inst], marks: &mut [Mark]) {
    // Of each register: that it is another one times 2^n.
    let mut scaled: [Option<(u8, u32)>; 32] = [None; 32];
    for (inst, mark) in insts.iter().zip(marks) {
        let form = inst.op.form();
        if let (Form::Load { width: width @ 2.., .. }, Some(Verdict::Proved)) = (form, mark.verdict)
            && let (Operand::Reg(base), Operand::Imm(0)) = (inst.x, inst.y)
            && let Some((index, log2)) = scaled[usize::from(base & 31)]
            && 1 << log2 == width
        {
            mark.index = Some(index);
        }
        if matches!(form, Form::Loop | Form::Else | Form::End) {
            scaled = [None; 32];
        } else if form.writes() {
            for known in &mut scaled {
                *known = known.filter(|&(index, _)| index != inst.a);
            }
            scaled[usize::from(inst.a & 31)] = match (form, inst.x, inst.y) {
                (Form::Binary(Alu::Shl), Operand::Reg(x), Operand::Imm(n @ 1..4)) if x != inst.a => Some((x, n as u32)),
                (Form::Binary(Alu::Mul), Operand::Reg(x), Operand::Imm(n @ (2 | 4 | 8))) if x != inst.a => {
                    Some((x, n.trailing_zeros()))
                }
                _ => None,
            };
        }
    }
}

/// A block that is open, seen from its end.
#[derive(Clone, Copy, Default)]
struct Open {
    is_loop: bool,
    /// Read behind the block; in a loop also: at the end of a round.
    behind: u32,
    round: u32,
    /// Read in the second arm, or behind an `if` that has none.
    other: u32,
}

/// The registers that an instruction reads.
pub(super) fn reads(inst: &Inst, mark: &Mark) -> u32 {
    let bit = |operand| if let Operand::Reg(r) = operand { 1 << (r & 31) } else { 0 };
    match mark.index {
        Some(index) => bit(Operand::Reg(index)),
        None => bit(inst.x) | bit(inst.y),
    }
}

/// Sets [`Mark::dead`]; `loop_reads` has the registers that each loop reads, in the order of their ends.
pub(super) fn mark_dead(insts: &[Inst], marks: &mut [Mark], loop_reads: &[u32]) {
    let (mut open, mut depth, mut live) = ([Open::default(); MAX_DEPTH], 0, 0u32);
    let mut loop_reads = loop_reads.iter().rev();
    for (inst, mark) in insts.iter().zip(marks).rev() {
        let form = inst.op.form();
        match form {
            Form::End => {
                let is_loop = insts[inst.link as usize].op.form() == Form::Loop;
                let round = if is_loop { live | loop_reads.next().copied().unwrap_or(u32::MAX) } else { live };
                open[depth] = Open { is_loop, behind: live, round, other: live };
                depth += 1;
                live = round;
            }
            Form::Else => {
                let block = &mut open[depth - 1];
                block.other = std::mem::replace(&mut live, block.behind);
            }
            Form::If(_) => {
                depth -= 1;
                live |= open[depth].other | reads(inst, mark);
            }
            Form::Loop => {
                depth -= 1;
                live = (live | open[depth].behind) & !(1 << inst.a) | reads(inst, mark);
            }
            Form::Break | Form::Next => {
                let around = open[..depth].iter().rev().find(|open| open.is_loop);
                let around = around.expect("verified: in a loop");
                live = if form == Form::Break { around.behind } else { around.round };
            }
            Form::Return | Form::Fail => live = 0,
            Form::Own => live |= reads(inst, mark),
            _ => {
                let pure = !matches!(form, Form::Load { .. }) || mark.verdict == Some(Verdict::Proved);
                mark.dead = pure && live >> inst.a & 1 == 0;
                if !mark.dead {
                    live = live & !(1 << inst.a) | reads(inst, mark);
                }
            }
        }
    }
}
