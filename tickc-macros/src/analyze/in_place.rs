//! Assignments whose operations may work in the variable's own register: `v = v * 31 ^ p[i]`.
//!
//! The old value of `v` is consumed by the first operation that runs, and nothing reads `v` between there and the assignment; so
//! the operations may overwrite it at once.

use std::collections::HashSet;

use super::{Analysis, visit};
use crate::ast::*;

/// The mentions in `quotation` that may be overwritten.
pub(crate) fn find(quotation: &Quotation, analysis: &Analysis) -> HashSet<MentionId> {
    let mut found = HashSet::new();
    match &quotation.form {
        Form::Fragment(expr) => collect(expr, analysis, &mut found),
        Form::Function(function) => collect(&function.body, analysis, &mut found),
    }
    found
}

fn collect(expr: &Expr, analysis: &Analysis, found: &mut HashSet<MentionId>) {
    if let ExprKind::Assign(assign) = &expr.kind {
        found.extend(mention(assign, analysis));
    }
    visit::children(expr, &mut |child| collect(child, analysis, found));
}

/// The mention of the assigned variable that may be overwritten, if there is one.
fn mention(assign: &Assign, analysis: &Analysis) -> Option<MentionId> {
    let ExprKind::Name(Name { to: Referent::Dynamic(id), .. }) = assign.target.kind else { return None };
    if assign.op.is_some() || analysis.binding(id).escapes {
        return None;
    }
    let first = first_operand(&assign.value, id)?;
    (is_simple(&assign.value) && mentions(&assign.value, id) == 1).then_some(first)
}

/// The mention of `id` that the first operation of `expr` consumes.
fn first_operand(expr: &Expr, id: BindingId) -> Option<MentionId> {
    match &expr.kind {
        ExprKind::Binary(binary) if !binary.op.is_comparison() => match &binary.left.kind {
            ExprKind::Name(name) if name.to == Referent::Dynamic(id) => Some(name.mention),
            _ => first_operand(&binary.left, id),
        },
        _ => None,
    }
}

/// Whether `expr` consists of operations that always go on to the next.
fn is_simple(expr: &Expr) -> bool {
    let simple = matches!(
        expr.kind,
        ExprKind::Lit(_)
            | ExprKind::Const(_)
            | ExprKind::Name(_)
            | ExprKind::Lift(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(_)
            | ExprKind::Cast(..)
            | ExprKind::Field(..)
            | ExprKind::Index(..)
            | ExprKind::Deref(..)
            | ExprKind::Method(_)
    );
    let mut all = simple;
    visit::children(expr, &mut |child| all &= is_simple(child));
    all
}

fn mentions(expr: &Expr, id: BindingId) -> usize {
    let own = matches!(expr.kind, ExprKind::Name(Name { to: Referent::Dynamic(other), .. }) if other == id);
    let mut count = usize::from(own);
    visit::children(expr, &mut |child| count += mentions(child, id));
    count
}
