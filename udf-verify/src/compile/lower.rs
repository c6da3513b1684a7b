//! Instructions and blocks as fragments of dynamic code.
//!
//! # `break` and `next`
//! They leave a block from within, which structured fragments cannot. An `if` that is left by one ("escapes") is followed by the
//! rest of its block in one of two ways:
//! - if one arm always leaves and the other one has nothing that escapes: the rest becomes part of the other arm;
//! - else: the rest stands under a test of the variable `left`, which whoever leaves sets.
//!
//! `break` sets the loop's bound to 0 and its counter back by one, so that the ordinary end of the round leaves the loop with
//! the counter as it was.
#![forbid(unsafe_code)]

use tickc::prelude::*;

use super::plan::{MAX_NESTING, Plan};
use super::{ARGUMENT, CREDENTIAL, Entry, NOW, status};
use crate::opcode::{Alu, Comparison, Form};
use crate::program::{Inst, Operand};
use crate::run::FaultCode;

/// How many rounds of a short loop are written out, and the instructions that such a loop may have.
const UNROLL: u64 = 4;
const MAX_UNROLLED: usize = 12;

/// The function to compile, as dynamic code.
pub(super) fn function<'a>(plan: &'a Plan<'a>) -> Staged<'a, Entry> {
    tick!(move |bytes: *const u8, out: *mut u64, environment: *const u64| -> u64 {
        let mut end = out as usize;
        // What is seen first gets a register.
        for r in $(plan.order.iter()) { @(plan.registers[usize::from(*r)]); }
        @(Lowering { plan, bytes, end, out, environment }.block(Block { at: 0, end: plan.insts.len(), nesting: 0, tested: false }));
        (end - out as usize) as u64
    })
}

/// Makes fragments of instructions.
#[derive(Clone, Copy)]
pub(super) struct Lowering<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) bytes: Var<*const u8>,
    /// Address of the next tuple.
    pub(super) end: Var<usize>,
    pub(super) out: Var<*mut u64>,
    pub(super) environment: Var<*const u64>,
}

/// Instructions of one block.
#[derive(Clone, Copy)]
struct Block {
    at: usize,
    end: usize,
    nesting: u32,
    /// Whether something around is tested for having been left, so that whoever leaves must say so.
    tested: bool,
}

/// A piece of a block.
#[derive(Clone, Copy)]
enum Statement {
    /// An instruction, or a whole `if` or `loop`.
    Plain { at: usize, nesting: u32, tested: bool },
    /// An `if` with one arm that leaves, and the rest of the block in the other one, which has nothing that escapes.
    WithRest { at: usize, rest: Block },
    /// The rest of the block, unless it has been left.
    UnlessLeft(Block),
    /// One statement of it, unless it has been left.
    OneUnlessLeft { at: usize, nesting: u32 },
}

/// The statements of a block, in order.
#[derive(Clone)]
struct Statements<'a> {
    plan: &'a Plan<'a>,
    block: Block,
    /// The statement before may have left the block.
    maybe_left: bool,
}

impl Iterator for Statements<'_> {
    type Item = Statement;

    fn next(&mut self) -> Option<Statement> {
        let Statements { plan, block: Block { at, end, nesting, tested }, maybe_left } = *self;
        if at >= end {
            return None;
        }
        if maybe_left && nesting < MAX_NESTING {
            self.block.at = end;
            return Some(Statement::UnlessLeft(Block { at, end, nesting: nesting + 1, tested }));
        }
        let behind = plan.behind(at);
        let form = plan.insts[at].op.form();
        let mark = plan.marks[at];
        // Nothing comes to what follows an instruction that leaves.
        self.block.at = if form.leaves() { end } else { behind };
        if maybe_left {
            return Some(Statement::OneUnlessLeft { at, nesting });
        }
        if !mark.escapes() || behind >= end {
            return Some(Statement::Plain { at, nesting, tested });
        }
        if mark.takes_rest() && nesting < MAX_NESTING {
            self.block.at = end;
            let rest = Block { at: behind, end, nesting: nesting + 1, tested };
            return Some(Statement::WithRest { at, rest });
        }
        self.maybe_left = true;
        Some(Statement::Plain { at, nesting, tested: true })
    }
}

/// `d = value`
fn assign(d: Var<u64>, value: Code<'static, u64>) -> Code<'static, ()> {
    tick!(@d = @value)
}

/// Ends the run.
pub(super) fn leave(word: u64) -> Code<'static, ()> {
    tick!(return $word)
}

/// Ends the run if the condition holds.
pub(super) fn leave_if(condition: Code<'static, bool>, word: u64) -> Code<'static, ()> {
    tick!(if @condition { return $word; })
}

impl<'a> Lowering<'a> {
    fn block(self, block: Block) -> Code<'a, ()> {
        let statements = Statements { plan: self.plan, block, maybe_left: false };
        tick!(move { for statement in $(statements) { @(self.statement(statement)); } })
    }

    fn statement(self, statement: Statement) -> Code<'a, ()> {
        match statement {
            Statement::Plain { at, nesting, tested } => self.plain(at, nesting, tested),
            Statement::WithRest { at, rest } => {
                let (then, els) = self.arms(at, rest.nesting, rest.tested);
                let (then, els) = match self.plan.marks[at] {
                    mark if mark.then_leaves && mark.else_leaves => (self.block(then), self.block(els)),
                    mark if mark.then_leaves && !mark.else_escapes => (self.block(then), self.both(els, rest)),
                    _ => (self.both(then, rest), self.block(els)),
                };
                let condition = self.condition(at);
                if self.is_empty(at + 1, rest.tested) {
                    return tick!(if !@condition { @els; });
                }
                tick!(if @condition { @then; } else { @els; })
            }
            Statement::UnlessLeft(rest) => {
                let left = self.left(rest.at);
                let rest = self.block(rest);
                tick!(if @left == 0 { @rest; })
            }
            Statement::OneUnlessLeft { at, nesting } => {
                let left = self.left(at);
                let one = self.plain(at, nesting, true);
                tick!(if @left == 0 { @one; })
            }
        }
    }

    /// Whether the arm that starts here is nothing but a `next` that need not be said.
    fn is_empty(self, at: usize, tested: bool) -> bool {
        !tested && self.plan.insts[at].op.form() == Form::Next
    }

    fn both(self, first: Block, second: Block) -> Code<'a, ()> {
        let (first, second) = (self.block(first), self.block(second));
        tick!({ @first; @second; })
    }

    /// The variable that says whether the round of the loop around `at` has been left.
    fn left(self, at: usize) -> Var<u64> {
        self.plan.left[usize::from(self.plan.marks[at].depth) - 1]
    }

    fn arms(self, at: usize, nesting: u32, tested: bool) -> (Block, Block) {
        let (link, end) = (self.plan.insts[at].link as usize, self.plan.end_of_if(at));
        let arm = |at, end| Block { at, end, nesting, tested };
        (arm(at + 1, link), arm(link + 1, end))
    }

    pub(super) fn register(self, r: u8) -> Var<u64> {
        self.plan.registers[usize::from(r & 31)]
    }

    pub(super) fn value(self, operand: Operand) -> Code<'static, u64> {
        match operand {
            Operand::Reg(r) => {
                let v = self.register(r);
                tick!(@v)
            }
            Operand::Imm(value) => tick!($value),
            Operand::None => tick!(0u64),
        }
    }

    fn condition(self, at: usize) -> Code<'static, bool> {
        let inst = &self.plan.insts[at];
        let Form::If(comparison) = inst.op.form() else { unreachable!("only an `if` has a condition") };
        let (x, y) = (self.value(inst.x), self.value(inst.y));
        match comparison {
            Comparison::Eq => tick!(@x == @y),
            Comparison::Ne => tick!(@x != @y),
            Comparison::Lt => tick!(@x < @y),
            Comparison::Le => tick!(@x <= @y),
            Comparison::Gt => tick!(@x > @y),
            Comparison::Ge => tick!(@x >= @y),
        }
    }

    fn plain(self, at: usize, nesting: u32, tested: bool) -> Code<'a, ()> {
        let inst = self.plan.insts[at];
        if self.plan.marks[at].dead {
            return tick!(());
        }
        let Inst { op, a, x, y, .. } = inst;
        match op.form() {
            Form::LoadImmediate | Form::Move => assign(self.register(a), self.value(x)),
            Form::Binary(alu) => self.binary(alu, a, x, y),
            Form::Load { width, big_endian } => self.load(&inst, self.plan.marks[at], width, big_endian),
            Form::Argument => self.environment(a, ARGUMENT, x),
            Form::Now => self.environment(a, NOW, Operand::None),
            Form::Credential => self.environment(a, CREDENTIAL, x),
            Form::Loop => self.round(at, &inst, nesting),
            Form::If(_) => {
                let (then, els) = self.arms(at, nesting + 1, tested);
                let condition = self.condition(at);
                let then = self.block(then);
                if els.at >= els.end {
                    return tick!(if @condition { @then; });
                }
                let els = self.block(els);
                tick!(if @condition { @then; } else { @els; })
            }
            Form::Break => {
                let depth = usize::from(self.plan.marks[at].depth) - 1;
                let (bound, counter) = (self.plan.bounds[depth], self.register(self.plan.insts[inst.link as usize].a));
                let say = self.say_left(at, tested);
                tick!({ @bound = 0; @counter -= 1; @say; })
            }
            Form::Next => self.say_left(at, tested),
            Form::Own => self.own(x, y, u64::from(a)),
            Form::Return => {
                let (end, out) = (self.end, self.out);
                tick!(return (@end - @out as usize) as u64)
            }
            Form::Fail => match x {
                Operand::Imm(reason) => leave(status::fail(reason)),
                _ => unreachable!("decoded: the reason is an immediate"),
            },
            Form::Else | Form::End => unreachable!("blocks are lowered as a whole"),
        }
    }

    fn say_left(self, at: usize, tested: bool) -> Code<'static, ()> {
        let left = self.left(at);
        if tested { tick!(@left = 1) } else { tick!(()) }
    }

    fn binary(self, alu: Alu, a: u8, x: Operand, y: Operand) -> Code<'static, ()> {
        let (d, itself) = (self.register(a), Operand::Reg(a));
        if let (Operand::Imm(x), Operand::Imm(y)) = (x, y) {
            return assign(d, self.value(Operand::Imm(alu.eval(x, y))));
        }
        let commutes = matches!(alu, Alu::Add | Alu::Mul | Alu::And | Alu::Or | Alu::Xor);
        let (x, y) = if commutes && y == itself { (y, x) } else { (x, y) };
        if matches!(alu, Alu::Div | Alu::Rem) && !matches!(y, Operand::Imm(1..)) {
            let (x, y) = (self.value(x), self.value(y));
            return match alu {
                Alu::Div => tick!(@d = if @y == 0 { 0 } else { @x / @y }),
                _ => tick!(@d = if @y == 0 { @x } else { @x % @y }),
            };
        }
        if x != itself && y == itself {
            let (x, y) = (self.value(x), self.value(y));
            return match alu {
                Alu::Sub => tick!(@d = @x - @y),
                Alu::Shl => tick!(@d = @x << @y),
                _ => tick!(@d = @x >> @y),
            };
        }
        let first = if x == itself { tick!(()) } else { assign(d, self.value(x)) };
        let y = self.value(y);
        match alu {
            Alu::Add => tick!({ @first; @d += @y; }),
            Alu::Sub => tick!({ @first; @d -= @y; }),
            Alu::Mul => tick!({ @first; @d *= @y; }),
            Alu::And => tick!({ @first; @d &= @y; }),
            Alu::Or => tick!({ @first; @d |= @y; }),
            Alu::Xor => tick!({ @first; @d ^= @y; }),
            Alu::Shl => tick!({ @first; @d <<= @y; }),
            Alu::Shr => tick!({ @first; @d >>= @y; }),
            Alu::Div => tick!({ @first; @d /= @y; }),
            Alu::Rem => tick!({ @first; @d %= @y; }),
        }
    }

    fn round(self, at: usize, inst: &Inst, nesting: u32) -> Code<'a, ()> {
        let mark = self.plan.marks[at];
        let depth = usize::from(mark.depth);
        let (counter, bound, left) = (self.register(inst.a), self.plan.bounds[depth], self.plan.left[depth]);
        let Operand::Imm(max) = inst.y else { unreachable!("decoded: MAX is an immediate") };
        let fault = status::fault(FaultCode::Loop, inst.slot);
        let body = Block { at: at + 1, end: inst.link as usize, nesting: nesting + 1, tested: false };
        let body = self.block(body);
        let body = if mark.tests { tick!({ @left = 0; @body; }) } else { body };
        match inst.x {
            Operand::Imm(count) if count > max => leave(fault),
            Operand::Imm(count) if !mark.breaks && self.unrolls(at, count) => {
                let rounds = (0..UNROLL).fold(tick!(()), |rounds, _| tick!({ @rounds; @body; @counter += 1; }));
                tick!({ @counter = 0; while @counter < $count { @rounds; } })
            }
            Operand::Imm(count) if !mark.breaks => {
                tick!({ @counter = 0; while @counter < $count { @body; @counter += 1; } })
            }
            x => {
                let count = self.value(x);
                let check = leave_if(tick!(@bound > $max), fault);
                tick!({ @bound = @count; @check; @counter = 0; while @counter < @bound { @body; @counter += 1; } })
            }
        }
    }

    /// Whether the loop's rounds are written out: its body is short and straight, and the count a multiple.
    fn unrolls(self, at: usize, count: u64) -> bool {
        let body = at + 1..self.plan.insts[at].link as usize;
        let has_loop = || self.plan.insts[body.clone()].iter().any(|inst| inst.op.form() == Form::Loop);
        count >= 2 * UNROLL && count.is_multiple_of(UNROLL) && body.len() <= MAX_UNROLLED && !has_loop()
    }
}
