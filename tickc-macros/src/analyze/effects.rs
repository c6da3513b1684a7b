//! What evaluating an expression may change.
//!
//! Values are lazy: one may stand for "variable `x`" or "the memory at `p`". What is evaluated to the right of such an operand
//! must not change it before it is read, so the operand is *pinned* (read at once) if it might. A comparison may still be a
//! pending condition of the processor's flags, which any instruction destroys; such an operand is *held*.

use proc_macro2::Ident;

use super::{Analysis, visit};
use crate::ast::*;
use crate::methods::{self, Kind};

/// The effects of an expression on variables and memory that it did not create.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Effects {
    /// It certainly may have some: an assignment, a call, a loop, a jump, code not known before it is instantiated.
    pub certain: bool,
    /// The hoisted splices in it, which have effects if the fragment spliced has.
    pub splices: Vec<usize>,
    /// The variables of this quotation that it assigns.
    pub assigned: Vec<BindingId>,
    /// It calls functions.
    pub calls: bool,
}

/// The effects of evaluating `expr`.
pub(crate) fn effects(expr: &Expr) -> Effects {
    let mut found = Effects::default();
    collect(expr, &mut found);
    found
}

/// The effects of evaluating all of `exprs`.
pub(crate) fn effects_of_all<'a>(exprs: impl IntoIterator<Item = &'a Expr>) -> Effects {
    let mut found = Effects::default();
    exprs.into_iter().for_each(|expr| collect(expr, &mut found));
    found
}

fn collect(expr: &Expr, found: &mut Effects) {
    match &expr.kind {
        ExprKind::Splice(capture) => match capture.slot {
            Slot::Hoisted(k) => found.splices.push(k),
            Slot::Deferred | Slot::Unresolved => found.certain = true,
        },
        ExprKind::Assign(assign) => {
            found.certain = true;
            match &assign.target.kind {
                ExprKind::Name(Name { to: Referent::Dynamic(id), .. }) => found.assigned.push(*id),
                // The handle of a variable, which is not spliced.
                ExprKind::Splice(_) => {}
                _ => collect(&assign.target, found),
            }
            collect(&assign.value, found);
            return;
        }
        ExprKind::Call(call) => {
            found.certain |= !matches!(call.callee, Callee::Associated(..));
            found.calls |= match &call.callee {
                Callee::Associated(_, method) => is_host(method),
                callee => !matches!(callee, Callee::Trap),
            };
        }
        ExprKind::Method(method) => {
            found.certain |= methods::lookup(&method.name.to_string()).is_some_and(methods::Method::has_effects);
            found.calls |= is_host(&method.name);
        }
        ExprKind::While(_)
        | ExprKind::Loop(_)
        | ExprKind::For(_)
        | ExprKind::Break(..)
        | ExprKind::Continue(_)
        | ExprKind::Return(_) => found.certain = true,
        _ => {}
    }
    visit::children(expr, &mut |child| collect(child, found));
}

/// Whether the value of `expr` can be changed by what is evaluated after it, `later` being what that does.
pub(crate) fn needs_pin(expr: &Expr, later: &Effects, analysis: &Analysis) -> bool {
    match &expr.kind {
        ExprKind::Name(Name { to: Referent::Dynamic(id), .. }) => {
            // No one else can assign a variable whose handle never leaves the quotation.
            analysis.binding(*id).escapes || later.assigned.contains(id)
        }
        ExprKind::Cast(inner, _) => !matches!(inner.kind, ExprKind::Lit(_)),
        _ => !is_constant(expr),
    }
}

/// Whether `expr` needs no instruction: a literal, a constant or a `$`.
pub(crate) fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Lit(_) | ExprKind::Const(_) | ExprKind::Lift(_) => true,
        ExprKind::Name(name) => matches!(name.to, Referent::Const | Referent::Rust(_)),
        _ => false,
    }
}

/// Whether the value of `expr` may be a pending condition.
pub(crate) fn may_pend(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Unary(UnaryOp::Not, ..) | ExprKind::Logic(_) | ExprKind::Splice(_) => true,
        ExprKind::Binary(binary) => {
            let of_integers =
                |e: &Expr| matches!(&e.kind, ExprKind::Lit(lit) if lit.kind != LitKind::Bool) || !may_be_bool(e);
            binary.op.is_comparison()
                || binary.op.takes_bool() && !of_integers(&binary.left) && !of_integers(&binary.right)
        }
        ExprKind::Cast(_, ty) => !is_number(ty),
        ExprKind::Method(method) => is_predicate(&method.name),
        ExprKind::Call(Call { callee: Callee::Associated(_, method), .. }) => is_predicate(method),
        ExprKind::Block(block) => tail_may_pend(block),
        ExprKind::Unsafe(block) => tail_may_pend(&block.block),
        ExprKind::If(i) => tail_may_pend(&i.then) || i.otherwise.as_ref().is_some_and(|e| may_pend(e)),
        ExprKind::StaticIf(i) => tail_may_pend(&i.then) || i.otherwise.as_ref().is_some_and(|e| may_pend(e)),
        ExprKind::Match(m) => m.arms.iter().any(|arm| may_pend(&arm.body)),
        ExprKind::StaticMatch(m) => m.arms.iter().any(|arm| may_pend(&arm.body)),
        ExprKind::Loop(_) => true,
        _ => false,
    }
}

/// Whether a method's value may be a pending condition.
fn is_predicate(method: &Ident) -> bool {
    let kind = methods::lookup(&method.to_string()).map(|method| method.kind);
    matches!(kind, Some(Kind::Predicate | Kind::IsEmpty))
}

/// Whether a method calls a function.
fn is_host(method: &Ident) -> bool {
    methods::lookup(&method.to_string()).is_some_and(|method| method.kind == Kind::Host)
}

/// Whether `expr` is not by its syntax a number.
fn may_be_bool(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Binary(binary) => binary.op.takes_bool(),
        ExprKind::Unary(op, _, _) => *op == UnaryOp::Not,
        ExprKind::Cast(_, ty) => !is_number(ty),
        ExprKind::Lit(lit) => lit.kind == LitKind::Bool,
        _ => true,
    }
}

fn tail_may_pend(block: &Block) -> bool {
    block.tail.as_ref().is_some_and(|tail| may_pend(tail))
}

/// Whether this is the name of a type of numbers.
pub(crate) fn is_number_name(ident: &Ident) -> bool {
    const NUMBERS: [&str; 12] = ["i8", "i16", "i32", "i64", "isize", "u8", "u16", "u32", "u64", "usize", "f32", "f64"];
    NUMBERS.iter().any(|name| ident == name)
}

/// Whether `ty` is a number by its name.
pub(crate) fn is_number(ty: &syn::Type) -> bool {
    match ty {
        syn::Type::Path(path) => path.path.get_ident().is_some_and(is_number_name),
        syn::Type::Group(group) => is_number(&group.elem),
        syn::Type::Paren(paren) => is_number(&paren.elem),
        _ => false,
    }
}
