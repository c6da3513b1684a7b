//! The children of a node.

use crate::ast::*;

/// Calls `f` with each expression directly below `expr`, in the order in which they stand.
pub(crate) fn children<'a>(expr: &'a Expr, f: &mut dyn FnMut(&'a Expr)) {
    match &expr.kind {
        ExprKind::Lit(_)
        | ExprKind::Const(_)
        | ExprKind::Name(_)
        | ExprKind::Splice(_)
        | ExprKind::Lift(_)
        | ExprKind::Continue(_) => {}
        ExprKind::Unary(_, _, e)
        | ExprKind::Cast(e, _)
        | ExprKind::Field(e, _)
        | ExprKind::Deref(e, _)
        | ExprKind::Ref(_, e) => f(e),
        ExprKind::Binary(b) => {
            f(&b.left);
            f(&b.right);
        }
        ExprKind::Logic(l) => {
            f(&l.left);
            f(&l.right);
        }
        ExprKind::Assign(a) => {
            f(&a.target);
            f(&a.value);
        }
        ExprKind::Index(base, index) => {
            f(base);
            f(index);
        }
        ExprKind::Slice(s) => {
            f(&s.base);
            s.from.iter().for_each(|e| f(e));
            s.to.iter().for_each(|e| f(e));
        }
        ExprKind::Method(m) => {
            f(&m.receiver);
            m.args.iter().for_each(f);
        }
        ExprKind::Call(c) => c.args.iter().for_each(f),
        ExprKind::Block(b) => block_children(b, f),
        ExprKind::Unsafe(u) => block_children(&u.block, f),
        ExprKind::If(i) => {
            f(&i.cond);
            block_children(&i.then, f);
            i.otherwise.iter().for_each(|e| f(e));
        }
        ExprKind::Match(m) => {
            f(&m.scrutinee);
            m.arms.iter().for_each(|arm| f(&arm.body));
        }
        ExprKind::StaticIf(i) => {
            block_children(&i.then, f);
            i.otherwise.iter().for_each(|e| f(e));
        }
        ExprKind::StaticMatch(m) => m.arms.iter().for_each(|arm| f(&arm.body)),
        ExprKind::While(w) => {
            f(&w.cond);
            block_children(&w.body, f);
        }
        ExprKind::Loop(l) => block_children(&l.body, f),
        ExprKind::For(l) => {
            f(&l.range.from);
            f(&l.range.to);
            block_children(&l.body, f);
        }
        ExprKind::Unrolled(l) => block_children(&l.body, f),
        ExprKind::Break(_, value) | ExprKind::Return(value) => value.iter().for_each(|e| f(e)),
        ExprKind::Range(r) => {
            f(&r.from);
            f(&r.to);
        }
    }
}

/// Calls `f` with each expression directly in `block`.
pub(crate) fn block_children<'a>(block: &'a Block, f: &mut dyn FnMut(&'a Expr)) {
    for stmt in &block.stmts {
        match stmt {
            Stmt::Let(local) => f(&local.init),
            Stmt::Expr(expr, _) => f(expr),
        }
    }
    block.tail.iter().for_each(|e| f(e));
}
