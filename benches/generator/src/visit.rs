//! The parts of a node, whatever it is: what counting and shrinking need to know of the tree.

use std::rc::Rc;

use crate::ast::*;

/// A part of a node, and what it sees beside what the node sees.
pub struct Part<'a> {
    pub node: Node<'a>,
    /// A variable: type, and whether it may be assigned.
    pub binds: Option<(Ty, bool)>,
    /// How many labels.
    pub labels: usize,
}

/// Fragments, functions and the program itself: each a tree of its own.
pub struct Root<'a> {
    /// The types of the variables, all of which may be assigned.
    pub vars: Vec<Ty>,
    pub parts: Vec<Part<'a>>,
}

pub enum Node<'a> {
    Expr(&'a mut E),
    Block(&'a mut Block),
}

fn expr(e: &mut E) -> Part<'_> {
    Part { node: Node::Expr(e), binds: None, labels: 0 }
}

fn block(b: &mut Block) -> Part<'_> {
    Part { node: Node::Block(b), binds: None, labels: 0 }
}

impl<'a> Part<'a> {
    fn binding(self, ty: Ty, assignable: bool) -> Part<'a> {
        Part { binds: Some((ty, assignable)), ..self }
    }
}

impl Place {
    /// The parts in the order of the program.
    fn parts(&mut self) -> Vec<Part<'_>> {
        match self {
            Place::Var(_) | Place::Field(_) => Vec::new(),
            Place::Item(_, i) | Place::Element(i) | Place::Row(i, _) | Place::Raw(_, _, i) => vec![expr(i)],
            Place::Part(_, from, i) => vec![expr(from), expr(i)],
        }
    }
}

impl Expr {
    /// The parts in the order of the program.
    pub fn parts(&mut self) -> Vec<Part<'_>> {
        match &mut self.kind {
            Kind::Const(_) | Kind::Var(_) | Kind::Len(_) | Kind::Fragment(_) => Vec::new(),
            Kind::Read(place) => place.parts(),
            Kind::Bin(_, a, b)
            | Kind::Cmp(_, a, b)
            | Kind::Multiple(a, b, _)
            | Kind::And(a, b)
            | Kind::Or(a, b)
            | Kind::IfConst(_, a, b)
            | Kind::GotoIf(a, _, b) => vec![expr(a), expr(b)],
            Kind::Twice(_, a)
            | Kind::Un(_, a)
            | Kind::Count(_, a)
            | Kind::Cast(a)
            | Kind::IsNan(a)
            | Kind::ToBits(a)
            | Kind::FromBits(a)
            | Kind::Table(_, a) => vec![expr(a)],
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
            Kind::Call(_, args) | Kind::DynCall(_, args) | Kind::CallOwn(_, args) => {
                args.iter_mut().map(expr).collect()
            }
        }
    }
}

impl Stmt {
    /// The parts in the order of the program.
    pub fn parts(&mut self) -> Vec<Part<'_>> {
        match self {
            Stmt::Fragment(_) | Stmt::Goto(_) => Vec::new(),
            // As in Rust, the value comes first.
            Stmt::Assign(place, e) | Stmt::AssignOp(_, place, e) => {
                [expr(e)].into_iter().chain(place.parts()).collect()
            }
            Stmt::Return(e) | Stmt::Discard(e) | Stmt::Trap(e) | Stmt::Log(e) | Stmt::JumpTable(e, _) => vec![expr(e)],
            Stmt::If(c, a, b) => vec![expr(c), block(a), block(b)],
            Stmt::While(_, c, a, skip, b) => vec![expr(c), block(a), expr(skip), block(b)],
            Stmt::Loop(_, a, c, b) => vec![block(a), expr(c), block(b)],
            Stmt::For(from, to, _, _, body) => {
                let ty = from.ty;
                vec![expr(from), expr(to), block(body).binding(ty, false)]
            }
            Stmt::ForVar(_, body) | Stmt::ForLen(_, body) => vec![block(body).binding(Ty::Usize, false)],
            Stmt::Unroll(ty, _, body) => {
                let ty = *ty;
                vec![block(body).binding(ty, false)]
            }
            Stmt::Labelled(_, c, d, body) => vec![expr(c), expr(d), block(body).binding(Ty::Usize, false)],
            Stmt::Region(region) => {
                let segments = &mut Rc::make_mut(region).segments;
                let labels = segments.len() + 1;
                let mut parts: Vec<Part<'_>> = segments.iter_mut().flat_map(Segment::parts).collect();
                parts.iter_mut().for_each(|part| part.labels = labels);
                parts
            }
        }
    }

    /// The variables that the statement assigns, or that count its rounds.
    pub fn variables(&mut self) -> Vec<&mut usize> {
        match self {
            Stmt::Assign(Place::Var(v), _) | Stmt::AssignOp(_, Place::Var(v), _) | Stmt::ForVar(v, _) => vec![v],
            Stmt::Region(region) => {
                let arm = |segment| match segment {
                    &mut Segment::Arm(ref mut arm) => Some(&mut Rc::make_mut(arm).var),
                    _ => None,
                };
                Rc::make_mut(region).segments.iter_mut().filter_map(arm).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Segment {
    /// The parts in the order of the program.
    fn parts(&mut self) -> Vec<Part<'_>> {
        match self {
            Segment::Block(body) => vec![block(body)],
            Segment::Loop(_, _, a, b) => vec![block(a), block(b)],
            Segment::Arm(arm) => {
                let Arm { c, a, x, b, d, y, .. } = Rc::make_mut(arm);
                vec![expr(c), block(a), expr(x), block(b), block(d), expr(y)]
            }
        }
    }
}

impl Program {
    /// The roots: functions, fragments, body and value.
    pub fn roots(&mut self) -> Vec<Root<'_>> {
        let with_locals = |params: &[Ty]| -> Vec<Ty> { params.iter().chain(&self.locals).copied().collect() };
        let vars = with_locals(self.params.scalars());
        let functions = self.functions.iter_mut().enumerate().map(|(f, function)| Root {
            vars: with_locals(OWN[f].0),
            parts: vec![block(&mut function.body), expr(&mut function.value)],
        });
        let fragments = self.fragments.iter_mut().map(|fragment| match fragment {
            Fragment::Value(e) => expr(e),
            Fragment::Block(b) => block(b),
        });
        let parts = fragments.chain([block(&mut self.body), expr(&mut self.value)]).collect();
        functions.chain([Root { vars: vars.clone(), parts }]).collect()
    }
}
