//! Statements.

use tickc::prelude::*;

use super::values::{bool, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize};
use super::{AnyVar, Env, Spliced, code, discard, labels, places, return_};
use crate::ast::*;

/// A block in which one more variable will be known.
pub(super) struct Body {
    pub(super) block: Block,
    pub(super) env: Env,
}

impl Body {
    pub(super) fn with(&self, var: AnyVar) -> Code<'static, ()> {
        block(&self.block, &self.env.with(var))
    }
}

pub(super) fn block(stmts: &Block, env: &Env) -> Code<'static, ()> {
    stmts.iter().fold(tick!(()), |code, s| {
        let next = stmt(s, env);
        tick!({ @code; @next; })
    })
}

fn stmt(s: &Stmt, env: &Env) -> Code<'static, ()> {
    let body = |block: &Block| Body { block: block.clone(), env: env.clone() };
    match s {
        Stmt::Assign(place, e) => places::write(place, code(e, env), env),
        Stmt::AssignOp(op, place, e) => places::update(*op, place, code(e, env), env),
        Stmt::Unroll(_, values, stmts) => {
            let (values, body) = (values.clone(), body(stmts));
            tick!(move for x in $(values.clone()) { @(body.with(AnyVar::Constant(x))) })
        }
        Stmt::Labelled(limit, c, d, stmts) => {
            let (limit, c, d, body) = (*limit, bool::code(c, env), bool::code(d, env), body(stmts));
            tick!(move {
                let mut n = 0u32;
                'outer: while n < lift!(limit) {
                    n += 1;
                    for i in 0..3usize {
                        if @c { break 'outer; }
                        if @d { continue 'outer; }
                        @(body.with(AnyVar::Usize(i)))
                    }
                }
            })
        }
        Stmt::Fragment(f) => match &env.fragments[*f] {
            Spliced::Block(code) => code.clone(),
            Spliced::Value(_) => unreachable!("a block"),
        },
        Stmt::If(c, a, b) => {
            let (c, a, b) = (bool::code(c, env), block(a, env), block(b, env));
            tick!(if @c { @a; } else { @b; })
        }
        Stmt::While(limit, c, a, skip, b) => {
            let (limit, c, skip) = (*limit, bool::code(c, env), bool::code(skip, env));
            let (a, b) = (block(a, env), block(b, env));
            tick!({
                let mut n = 0u32;
                while n < lift!(limit) && @c {
                    n += 1;
                    @a;
                    if @skip { continue; }
                    @b;
                }
            })
        }
        Stmt::Loop(limit, a, c, b) => {
            let (limit, c, a, b) = (*limit, bool::code(c, env), block(a, env), block(b, env));
            tick!({
                let mut n = 0u8;
                loop {
                    n += 1;
                    if n as u32 > lift!(limit) { break; }
                    @a;
                    if @c { break; }
                    @b;
                }
            })
        }
        Stmt::For(from, to, inclusive, factor, stmts) => match from.ty {
            Ty::I64 => i64::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::I32 => i32::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::I16 => i16::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::I8 => i8::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::Isize => isize::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::U64 => u64::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::U32 => u32::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::U16 => u16::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::U8 => u8::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::Usize => usize::for_(from, to, *inclusive, *factor, body(stmts)),
            Ty::F64 | Ty::F32 | Ty::Bool => unreachable!("a loop counts integers"),
        },
        Stmt::ForVar(v, stmts) => {
            let (to, body) = (env.vars[*v].var_usize(), body(stmts));
            tick!(move for i in 0..@to { @(body.with(AnyVar::Usize(i))) })
        }
        Stmt::ForLen(mem, stmts) => {
            let (s, t, w, body) = (env.s, env.t, env.w, body(stmts));
            match mem {
                Mem::S => tick!(move for i in 0..@s.len() { @(body.with(AnyVar::Usize(i))) }),
                Mem::T => tick!(move for i in 0..@t.len() { @(body.with(AnyVar::Usize(i))) }),
                Mem::W => tick!(move for i in 0..@w.len() { @(body.with(AnyVar::Usize(i))) }),
            }
        }
        Stmt::Return(e) => return_(e, env),
        Stmt::Discard(e) => discard(e, env),
        Stmt::Trap(e) => {
            let code = u32::code(e, env);
            tick!(trap(@code))
        }
        Stmt::Log(e) => {
            let (log, x) = (env.callees.host.log.clone(), u8::code(e, env));
            tick!(lift!(log)(@x))
        }
        Stmt::Region(region) => labels::region(region, env),
        Stmt::Goto(label) => env.labels[*label].goto(),
        Stmt::JumpTable(e, targets) => {
            let targets: Vec<Label> = targets.iter().map(|&label| env.labels[label]).collect();
            Label::table(usize::code(e, env), &targets)
        }
    }
}
