//! The parts of a node, whatever it is: what counting and shrinking need to know of the tree.

use crate::ast::*;

/// A part of a node, and the variable that it sees beside those of the node: type, and whether it may be assigned.
pub struct Part<'a> {
    pub node: Node<'a>,
    pub binds: Option<(Ty, bool)>,
}

pub enum Node<'a> {
    Expr(&'a mut E),
    Block(&'a mut Block),
}

fn expr(e: &mut E) -> Part<'_> {
    Part { node: Node::Expr(e), binds: None }
}

fn block(b: &mut Block) -> Part<'_> {
    Part { node: Node::Block(b), binds: None }
}

impl<'a> Part<'a> {
    fn binding(self, ty: Ty, assignable: bool) -> Part<'a> {
        Part { binds: Some((ty, assignable)), ..self }
    }
}

impl Expr {
    /// The parts in the order of the program.
    pub fn parts(&mut self) -> Vec<Part<'_>> {
        match &mut self.kind {
            Kind::Const(_) | Kind::Var(_) | Kind::Len(_) | Kind::Field(_) | Kind::Fragment(_) => Vec::new(),
            Kind::Bin(_, a, b)
            | Kind::Cmp(_, a, b)
            | Kind::Multiple(a, b, _)
            | Kind::And(a, b)
            | Kind::Or(a, b)
            | Kind::IfConst(_, a, b) => vec![expr(a), expr(b)],
            Kind::Twice(_, a)
            | Kind::Un(_, a)
            | Kind::Count(_, a)
            | Kind::Cast(a)
            | Kind::IsNan(a)
            | Kind::ToBits(a)
            | Kind::FromBits(a)
            | Kind::Load(_, a)
            | Kind::Element(a)
            | Kind::Table(_, a)
            | Kind::Row(a, _) => vec![expr(a)],
            Kind::If(a, b, c) | Kind::Bare(a, b, c) | Kind::ReturnIf(a, b, c) | Kind::MatchConst(_, a, b, c) => {
                vec![expr(a), expr(b), expr(c)]
            }
            Kind::Match(x, a, b, c, last) => {
                let ty = x.ty;
                vec![expr(x), expr(a), expr(b), expr(c), expr(last).binding(ty, false)]
            }
            Kind::Block(stmts, value) => vec![block(stmts), expr(value)],
            Kind::Let(init, body) => {
                let ty = init.ty;
                vec![expr(init), expr(body).binding(ty, true)]
            }
            Kind::LoopValue(_, a, stmts, c, b) => vec![expr(a), block(stmts), expr(c), expr(b)],
            Kind::Call(_, args) | Kind::CallCompiled(_, _, args) => args.iter_mut().map(expr).collect(),
        }
    }
}

impl Stmt {
    /// The parts in the order of the program.
    pub fn parts(&mut self) -> Vec<Part<'_>> {
        match self {
            Stmt::Fragment(_) => Vec::new(),
            Stmt::Assign(_, e)
            | Stmt::AssignOp(_, _, e)
            | Stmt::SetField(_, e)
            | Stmt::FieldOp(_, _, e)
            | Stmt::Return(e)
            | Stmt::Discard(e)
            | Stmt::Trap(e) => vec![expr(e)],
            Stmt::Store(_, a, b) | Stmt::StoreOp(_, _, a, b) | Stmt::SetElement(a, b) | Stmt::SetRow(a, _, b) => {
                vec![expr(a), expr(b)]
            }
            Stmt::If(c, a, b) => vec![expr(c), block(a), block(b)],
            Stmt::While(_, c, a, skip, b) => vec![expr(c), block(a), expr(skip), block(b)],
            Stmt::Loop(_, a, c, b) => vec![block(a), expr(c), block(b)],
            Stmt::For(from, to, _, body) => {
                let ty = from.ty;
                vec![expr(from), expr(to), block(body).binding(ty, false)]
            }
            Stmt::ForVar(_, body) | Stmt::ForLen(_, body) => vec![block(body).binding(Ty::Usize, false)],
            Stmt::Unroll(ty, _, body) => {
                let ty = *ty;
                vec![block(body).binding(ty, false)]
            }
            Stmt::Labelled(_, c, d, body) => vec![expr(c), expr(d), block(body).binding(Ty::Usize, false)],
        }
    }

    /// The variable that the statement assigns, or that counts its rounds.
    pub fn variable(&mut self) -> Option<&mut usize> {
        match self {
            Stmt::Assign(v, _) | Stmt::AssignOp(_, v, _) | Stmt::ForVar(v, _) => Some(v),
            _ => None,
        }
    }
}

impl Program {
    /// The roots of the tree: fragments, body, value.
    pub fn parts(&mut self) -> Vec<Part<'_>> {
        let fragments = self.fragments.iter_mut().map(|fragment| match fragment {
            Fragment::Value(e) => expr(e),
            Fragment::Block(b) => block(b),
        });
        fragments.chain([block(&mut self.body), expr(&mut self.value)]).collect()
    }
}
