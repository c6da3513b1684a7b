//! Smaller programs that still fail: expressions become one of their parts or zero, statements go away or leave their blocks
//! behind, as long as the failure stays.

use std::rc::Rc;

use crate::ast::*;
use crate::visit::{Node, Part};

/// How many programs are tried at most.
const TRIES: u32 = 20_000;

/// The smallest program that was found for which `fails` holds, as it does for `program`.
pub fn shrink(program: Program, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut tries = TRIES;
    let mut best = program;
    loop {
        let mut smaller = false;
        let mut place = 0;
        // Places are counted in the order of the program; what replaces one leaves those before it as they are.
        while place < count(&mut best) {
            let found = alternatives(&mut best, place).into_iter().find(|candidate| {
                tries = tries.saturating_sub(1);
                tries > 0 && is_sound(candidate) && fails(candidate)
            });
            match found {
                Some(candidate) => {
                    best = candidate;
                    smaller = true;
                }
                None => place += 1,
            }
        }
        for local in (0..best.locals.len()).rev() {
            let candidate = without_local(&best, local);
            if is_sound(&candidate) && fails(&candidate) {
                best = candidate;
                smaller = true;
            }
        }
        while let [fragments @ .., _] = &best.fragments[..] {
            let candidate = Program { fragments: fragments.to_vec(), ..best.clone() };
            if !(is_sound(&candidate) && fails(&candidate)) {
                break;
            }
            best = candidate;
            smaller = true;
        }
        if !smaller || tries == 0 {
            return best;
        }
    }
}

/// How many nodes a program has.
fn count(program: &mut Program) -> usize {
    let mut nodes = 0;
    walk(program, &mut |_, _| nodes += 1);
    nodes
}

/// Programs in which something smaller stands at the node with this number, the smallest first.
fn alternatives(program: &mut Program, place: usize) -> Vec<Program> {
    let mut replacements = Vec::new();
    at(program, place, &mut |node| {
        replacements = match node {
            Node::Expr(e) => of_expr(e).into_iter().map(Replacement::Expr).collect(),
            Node::Block(b) => of_block(b).into_iter().map(Replacement::Block).collect(),
        };
    });
    let replaced = |replacement: Replacement| {
        let mut candidate = program.clone();
        at(&mut candidate, place, &mut |node| match (node, &replacement) {
            (Node::Expr(e), Replacement::Expr(with)) => **e = with.clone(),
            (Node::Block(b), Replacement::Block(with)) => **b = with.clone(),
            _ => unreachable!("the same node"),
        });
        candidate
    };
    replacements.into_iter().map(replaced).collect()
}

enum Replacement {
    Expr(E),
    Block(Block),
}

/// Calls `change` with the node with this number.
fn at(program: &mut Program, place: usize, change: &mut dyn FnMut(&mut Node<'_>)) {
    let mut number = 0;
    walk(program, &mut |node, _| {
        if number == place {
            change(node);
        }
        number += 1;
    });
}

fn of_expr(e: &E) -> Vec<E> {
    if let Kind::Const(0) = e.kind {
        return Vec::new();
    }
    let mut all = vec![Rc::new(Expr { ty: e.ty, kind: Kind::Const(0) })];
    let mut copy = (**e).clone();
    for part in copy.parts() {
        if let Node::Expr(inner) = part.node
            && inner.ty == e.ty
            && !matches!(inner.kind, Kind::Const(0))
        {
            all.push(inner.clone());
        }
    }
    all
}

fn of_block(b: &Block) -> Vec<Block> {
    let mut all = Vec::new();
    if b.len() > 1 {
        all.push(Rc::default());
    }
    for i in 0..b.len() {
        // Without the statement, or with what stands in it in its place.
        let mut copy = b[i].clone();
        let mut discarded = match &mut copy {
            // The expression itself is there already.
            Stmt::Discard(e) => Rc::make_mut(e).parts(),
            stmt => stmt.parts(),
        };
        let inner = discarded.iter_mut().filter_map(|part| match &part.node {
            Node::Block(inner) => Some(inner.to_vec()),
            Node::Expr(e) if matches!(e.kind, Kind::Const(_)) => None,
            Node::Expr(e) => Some(vec![Stmt::Discard((*e).clone())]),
        });
        for stmts in std::iter::once(Vec::new()).chain(inner) {
            let mut block = b.to_vec();
            block.splice(i..=i, stmts);
            all.push(Rc::new(block));
        }
    }
    all
}

/// The program without a local, whose number may still be used: then it is not sound.
fn without_local(program: &Program, local: usize) -> Program {
    let mut candidate = program.clone();
    let index = candidate.params.scalars().len() + local;
    walk(&mut candidate, &mut |node, _| {
        let renumber = |v: &mut usize| match (*v).cmp(&index) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => *v = usize::MAX,
            std::cmp::Ordering::Greater => *v -= 1,
        };
        match node {
            Node::Expr(e) => {
                if let Kind::Var(v) = &mut Rc::make_mut(e).kind {
                    renumber(v);
                }
            }
            Node::Block(b) => Rc::make_mut(b).iter_mut().filter_map(Stmt::variable).for_each(renumber),
        }
    });
    candidate.locals.remove(local);
    candidate
}

/// Whether every variable that is mentioned is in scope there, of the right type, and assignable where it is assigned; and every
/// fragment exists.
fn is_sound(program: &Program) -> bool {
    let mut sound = true;
    let fragments = program.fragments.len();
    walk(&mut program.clone(), &mut |node, scope| match node {
        Node::Expr(e) => match e.kind {
            Kind::Var(v) => sound &= scope.get(v).is_some_and(|&(ty, _)| ty == e.ty),
            Kind::Fragment(f) => sound &= f < fragments,
            _ => {}
        },
        Node::Block(b) => {
            for stmt in b.iter() {
                let wanted = match stmt {
                    Stmt::Assign(v, e) => Some((v, Some(e.ty))),
                    Stmt::AssignOp(Op::Shl | Op::Shr, v, _) => Some((v, None)),
                    Stmt::AssignOp(_, v, e) => Some((v, Some(e.ty))),
                    Stmt::ForVar(v, _) => Some((v, Some(Ty::Usize))),
                    Stmt::Fragment(f) => {
                        sound &= *f < fragments;
                        None
                    }
                    _ => None,
                };
                if let Some((&v, ty)) = wanted {
                    let fits = |&(of, assignable): &(Ty, bool)| assignable && ty.is_none_or(|ty| ty == of);
                    sound &= scope.get(v).is_some_and(fits);
                }
            }
        }
    });
    sound
}

/// What is called with every node, and with the variables in scope there.
type Visit<'a> = dyn FnMut(&mut Node<'_>, &[(Ty, bool)]) + 'a;

/// Visits every node, in the order of the program, outer ones first.
fn walk(program: &mut Program, visit: &mut Visit<'_>) {
    let params = program.params.scalars().iter().chain(&program.locals);
    let mut scope: Vec<(Ty, bool)> = params.map(|&ty| (ty, true)).collect();
    for root in program.parts() {
        walk_part(root, &mut scope, visit);
    }
}

fn walk_part(part: Part<'_>, scope: &mut Vec<(Ty, bool)>, visit: &mut Visit<'_>) {
    let Part { mut node, binds } = part;
    scope.extend(binds);
    visit(&mut node, scope);
    match node {
        Node::Expr(e) => Rc::make_mut(e).parts().into_iter().for_each(|inner| walk_part(inner, scope, visit)),
        Node::Block(b) => {
            for stmt in Rc::make_mut(b) {
                stmt.parts().into_iter().for_each(|inner| walk_part(inner, scope, visit));
            }
        }
    }
    if binds.is_some() {
        scope.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A failure that needs one node of a kind, and nothing else, shrinks to little else.
    #[test]
    fn what_a_failure_does_not_need_goes_away() {
        let mut tried = 0;
        for i in 0.. {
            let program = crate::engines::program(1, i);
            let has_division = |program: &Program| {
                let mut found = false;
                walk(&mut program.clone(), &mut |node, _| {
                    found |=
                        matches!(node, Node::Expr(e) if matches!(e.kind, Kind::Bin(Op::Div, _, _)) && e.ty.is_int());
                });
                found
            };
            assert!(is_sound(&program));
            if !has_division(&program) {
                continue;
            }
            let small = shrink(program, has_division);
            assert!(has_division(&small) && is_sound(&small));
            // A call keeps its arguments, and a fragment those before it.
            assert!(count(&mut small.clone()) <= 20, "{small:?}");
            assert!(small.locals.is_empty(), "{small:?}");
            tried += 1;
            if tried == 5 {
                return;
            }
        }
    }
}
