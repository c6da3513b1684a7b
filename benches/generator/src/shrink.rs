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
        // What is not mentioned any more, from the last one.
        let shorter = |program: &Program| {
            let (mut without_fragment, mut without_function) = (program.clone(), program.clone());
            let fragment = without_fragment.fragments.pop().map(|_| without_fragment);
            let function = without_function.functions.pop().map(|_| without_function);
            fragment.into_iter().chain(function).find(is_sound)
        };
        while let Some(candidate) = shorter(&best).filter(&mut fails) {
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
        let unlabelled = match &b[i] {
            Stmt::Region(region) => without_labels(region),
            _ => Vec::new(),
        };
        let inner = discarded.iter_mut().filter_map(|part| match &part.node {
            Node::Block(inner) => Some(inner.to_vec()),
            Node::Expr(e) if matches!(e.kind, Kind::Const(_)) => None,
            Node::Expr(e) => Some(vec![Stmt::Discard((*e).clone())]),
        });
        for stmts in std::iter::once(Vec::new()).chain(inner).chain(unlabelled) {
            let mut block = b.to_vec();
            block.splice(i..=i, stmts);
            all.push(Rc::new(block));
        }
    }
    all
}

/// The region with one of its loops or arms replaced by what stands in it.
fn without_labels(region: &Region) -> Vec<Vec<Stmt>> {
    let replaced = (0..region.segments.len()).filter_map(|i| {
        let simple = match &region.segments[i] {
            Segment::Block(_) => return None,
            Segment::Loop(_, _, a, b) => [&a[..], b].concat(),
            Segment::Arm(arm) => [&arm.b[..], &arm.d].concat(),
        };
        let mut region = region.clone();
        region.segments[i] = Segment::Block(Rc::new(simple));
        Some(vec![Stmt::Region(Rc::new(region))])
    });
    replaced.collect()
}

/// The program without a local, whose number may still be used: then it is not sound.
fn without_local(program: &Program, local: usize) -> Program {
    let mut candidate = program.clone();
    let first_of_main = candidate.params.scalars().len();
    walk(&mut candidate, &mut |node, scope| {
        let index = local + scope.function.map_or(first_of_main, |f| OWN[f].0.len());
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
            Node::Block(b) => Rc::make_mut(b).iter_mut().flat_map(Stmt::variables).for_each(renumber),
        }
    });
    candidate.locals.remove(local);
    candidate
}

/// Whether every variable that is mentioned is in scope there, of the right type, and assignable where it is assigned; and every
/// label, function and fragment exists.
fn is_sound(program: &Program) -> bool {
    let mut sound = true;
    let (fragments, functions) = (program.fragments.len(), program.functions.len());
    walk(&mut program.clone(), &mut |node, scope| match node {
        Node::Expr(e) => match e.kind {
            Kind::Var(v) => sound &= scope.vars.get(v).is_some_and(|&(ty, _)| ty == e.ty),
            Kind::Fragment(f) => sound &= f < fragments,
            Kind::CallOwn(f, _) => sound &= f < functions,
            Kind::GotoIf(_, label, _) => sound &= label < scope.labels,
            _ => {}
        },
        Node::Block(b) => {
            for stmt in b.iter() {
                let mut assigned = |v: usize, ty: Option<Ty>| {
                    let fits = |&(of, assignable): &(Ty, bool)| assignable && ty.is_none_or(|ty| ty == of);
                    sound &= scope.vars.get(v).is_some_and(fits);
                };
                match stmt {
                    &Stmt::Assign(Place::Var(v), ref e) => assigned(v, Some(e.ty)),
                    &Stmt::AssignOp(op, Place::Var(v), ref e) => assigned(v, (!op.takes_count()).then_some(e.ty)),
                    &Stmt::ForVar(v, _) => assigned(v, Some(Ty::Usize)),
                    Stmt::Fragment(f) => sound &= *f < fragments,
                    Stmt::Goto(label) => sound &= *label < scope.labels,
                    Stmt::JumpTable(_, labels) => sound &= labels.iter().all(|&label| label < scope.labels),
                    Stmt::Region(region) => {
                        for segment in &region.segments {
                            if let Segment::Arm(arm) = segment {
                                assigned(arm.var, Some(arm.x.ty));
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    });
    sound
}

/// What is in scope at a node.
struct Scope {
    /// Types, and whether they may be assigned.
    vars: Vec<(Ty, bool)>,
    labels: usize,
    /// The program's function of which the node is a part.
    function: Option<usize>,
}

/// What is called with every node.
type Visit<'a> = dyn FnMut(&mut Node<'_>, &Scope) + 'a;

/// Visits every node, in the order of the program, outer ones first.
fn walk(program: &mut Program, visit: &mut Visit<'_>) {
    let functions = program.functions.len();
    for (number, root) in program.roots().into_iter().enumerate() {
        let vars = root.vars.iter().map(|&ty| (ty, true)).collect();
        let mut scope = Scope { vars, labels: 0, function: (number < functions).then_some(number) };
        root.parts.into_iter().for_each(|part| walk_part(part, &mut scope, visit));
    }
}

fn walk_part(part: Part<'_>, scope: &mut Scope, visit: &mut Visit<'_>) {
    let Part { mut node, binds, labels } = part;
    scope.vars.extend(binds);
    scope.labels += labels;
    visit(&mut node, scope);
    match node {
        Node::Expr(e) => Rc::make_mut(e).parts().into_iter().for_each(|inner| walk_part(inner, scope, visit)),
        Node::Block(b) => {
            for stmt in Rc::make_mut(b) {
                stmt.parts().into_iter().for_each(|inner| walk_part(inner, scope, visit));
            }
        }
    }
    scope.labels -= labels;
    if binds.is_some() {
        scope.vars.pop();
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
