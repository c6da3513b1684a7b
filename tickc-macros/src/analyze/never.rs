//! Expressions of type `!`: those that do not come to an end.
//!
//! As in Rust the type is told by syntax, so that an `if` whose one arm returns has the type of the other arm.

use super::Analysis;
use crate::ast::*;

/// Whether `expr` is of type `!`.
pub(crate) fn diverges(expr: &Expr, analysis: &Analysis) -> bool {
    let diverges = |e: &Expr| diverges(e, analysis);
    match &expr.kind {
        ExprKind::Break(..) | ExprKind::Continue(_) | ExprKind::Return(_) => true,
        ExprKind::Call(call) => matches!(call.callee, Callee::Trap),
        ExprKind::Block(block) => block_diverges(block, analysis),
        ExprKind::Unsafe(block) => block_diverges(&block.block, analysis),
        ExprKind::If(i) => i.otherwise.as_ref().is_some_and(|e| diverges(e)) && block_diverges(&i.then, analysis),
        ExprKind::StaticIf(i) => i.otherwise.as_ref().is_some_and(|e| diverges(e)) && block_diverges(&i.then, analysis),
        ExprKind::Match(m) => m.arms.iter().all(|arm| diverges(&arm.body)),
        ExprKind::StaticMatch(m) => m.arms.iter().all(|arm| diverges(&arm.body)),
        ExprKind::Loop(l) => {
            let info = analysis.loop_info(l.id);
            !info.breaks && !info.breaks_with_value
        }
        _ => false,
    }
}

/// Whether `block` is of type `!`.
pub(crate) fn block_diverges(block: &Block, analysis: &Analysis) -> bool {
    match &block.tail {
        Some(tail) => diverges(tail, analysis),
        None => block.stmts.iter().any(|stmt| match stmt {
            Stmt::Let(local) => diverges(&local.init, analysis),
            Stmt::Expr(expr, _) => diverges(expr, analysis),
        }),
    }
}
