//! Expressions of type `!`: those that do not come to an end.
//!
//! As in Rust the type is told by syntax, so that an `if` whose one arm returns has the type of the other arm.

use super::{Analysis, visit};
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

/// Whether `block` is of type `!`: whether it has a statement that does not come to an end, and none behind it that control could
/// come to by a label.
pub(crate) fn block_diverges(block: &Block, analysis: &Analysis) -> bool {
    match &block.tail {
        Some(tail) => diverges(tail, analysis),
        None => {
            let mut ended = false;
            for stmt in &block.stmts {
                let expr = match stmt {
                    Stmt::Let(local) => &local.init,
                    Stmt::Expr(expr, _) => expr,
                };
                ended = diverges(expr, analysis) || ended && !may_place_label(expr);
            }
            ended
        }
    }
}

/// Whether control may come into `expr` by a jump to a label: whether it splices a fragment.
fn may_place_label(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Splice(_) => true,
        // The handle of a variable.
        ExprKind::Assign(Assign { target, value, .. }) if matches!(target.kind, ExprKind::Splice(_)) => {
            may_place_label(value)
        }
        _ => {
            let mut may = false;
            visit::children(expr, &mut |child| may |= may_place_label(child));
            may
        }
    }
}
