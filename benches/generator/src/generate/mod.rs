//! Programs out of bytes: each choice takes some, and where they have run out, the first alternative, which is a small one.

mod expr;
mod stmt;

use std::rc::Rc;

use arbitrary::{Arbitrary, Unstructured};

use crate::ast::*;

/// How many nodes a program has, about.
const NODES: u32 = 220;

struct Choices<'u, 'a> {
    bytes: &'u mut Unstructured<'a>,
    /// Nodes that may still be made.
    budget: u32,
    /// The fragments made so far: the type of a value, none of a block.
    fragments: Vec<Option<Ty>>,
    /// How many functions the program has.
    functions: usize,
}

impl<'a> Arbitrary<'a> for Program {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Program> {
        Ok(program(bytes))
    }
}

/// Whether the operation traps on zero, of integers.
fn divides(op: Op) -> bool {
    matches!(op, Op::Div | Op::Rem | Op::RemEuclid | Op::DivEuclid)
}

/// What a place of the program sees.
#[derive(Clone)]
struct Scope {
    /// Type, and whether it may be assigned.
    vars: Vec<(Ty, bool)>,
    result: Ty,
    /// How many labels jumps may go to.
    labels: usize,
    /// Whether labels may be placed: what stands here is instantiated once, with no operand pending.
    places_labels: bool,
}

impl Scope {
    fn with(&self, ty: Ty, assignable: bool) -> Scope {
        let mut scope = self.clone();
        scope.vars.push((ty, assignable));
        scope
    }

    /// What an operand sees.
    fn operand(&self) -> Scope {
        Scope { places_labels: false, ..self.clone() }
    }
}

fn node(ty: Ty, kind: Kind) -> E {
    Rc::new(Expr { ty, kind })
}

fn program(bytes: &mut Unstructured<'_>) -> Program {
    let mut c = Choices { bytes, budget: NODES, fragments: Vec::new(), functions: 0 };
    let params = if c.pick(2) == 0 { Params::Few } else { Params::Many };
    let count = [0, 2, 6, 14, 34][c.pick(5)];
    // Mostly few types, so that one class of registers runs out.
    let locals: Vec<Ty> = match c.pick(4) {
        0 => (0..count).map(|_| Ty::I64).collect(),
        1 => (0..count).map(|_| Ty::F64).collect(),
        _ => (0..count).map(|_| c.ty()).collect(),
    };
    let result = [Ty::I64, Ty::F64, Ty::U8, Ty::Bool, Ty::F32, Ty::I16][c.pick(6)];
    let scope = |params: &[Ty], result, places_labels| {
        let vars = params.iter().chain(&locals).map(|&ty| (ty, true)).collect();
        Scope { vars, result, labels: 0, places_labels }
    };
    c.functions = [0, 0, 1, 2][c.pick(4)];
    // They call each other, so that all of them are known to the first one.
    let functions = (0..c.functions).map(|f| c.function(&scope(OWN[f].0, OWN[f].1, true))).collect();
    let fragments = (0..c.pick(5)).map(|_| c.fragment(&scope(params.scalars(), result, false))).collect();
    let scope = scope(params.scalars(), result, true);
    let mut body = Vec::new();
    // Locals with values of their own, so that they are not all alike.
    for (i, &ty) in locals.iter().enumerate() {
        if c.pick(3) != 0 {
            body.push(Stmt::Assign(Place::Var(params.scalars().len() + i), c.leaf(&scope, ty)));
        }
    }
    let count = c.pick(9);
    body.extend((0..count).map(|_| c.stmt(&scope, 3)));
    let value = c.expr(&scope, result, 5);
    Program { params, locals, functions, fragments, body: Rc::new(body), value }
}

impl Choices<'_, '_> {
    fn next(&mut self) -> u32 {
        self.bytes.arbitrary().unwrap_or(0)
    }

    fn pick(&mut self, n: usize) -> usize {
        self.bytes.int_in_range(0..=n - 1).unwrap_or(0)
    }

    fn function(&mut self, scope: &Scope) -> Function {
        let body = self.block(scope, 3);
        Function { body, value: self.expr(scope, scope.result, 3) }
    }

    fn fragment(&mut self, scope: &Scope) -> Fragment {
        if self.pick(3) == 0 {
            let block = self.block(scope, 2);
            self.fragments.push(None);
            return Fragment::Block(block);
        }
        let ty = if self.pick(2) == 0 { Ty::I64 } else { self.ty() };
        let value = self.expr(scope, ty, 3);
        self.fragments.push(Some(ty));
        Fragment::Value(value)
    }

    /// A fragment made before, of a value of the type, or of a block.
    fn spliced(&mut self, ty: Option<Ty>) -> Option<usize> {
        let all: Vec<usize> = (0..self.fragments.len()).filter(|&f| self.fragments[f] == ty).collect();
        if all.is_empty() { None } else { Some(all[self.pick(all.len())]) }
    }

    /// Constants of a slice or of an unrolled loop.
    fn constants(&mut self, ty: Ty, count: usize) -> Vec<u64> {
        let bits = |e: E| match e.kind {
            Kind::Const(bits) => bits,
            _ => unreachable!("a constant"),
        };
        (0..count).map(|_| bits(self.constant(ty))).collect()
    }

    fn ty(&mut self) -> Ty {
        Ty::ALL[self.pick(13)]
    }

    fn int_ty(&mut self) -> Ty {
        let ty = self.ty();
        if ty.is_int() { ty } else { Ty::I32 }
    }

    fn constant(&mut self, ty: Ty) -> E {
        let n = self.next();
        let small = i64::from(n % 37) - 8;
        let wide = i64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64);
        const EDGES: [i64; 12] =
            [0, 1, -1, 2, i64::MIN, i64::MAX, i32::MIN as i64, i32::MAX as i64, 128, 255, -128, 1 << 31];
        let int = match n / 37 % 4 {
            0 | 1 => small,
            2 => EDGES[(n / 148) as usize % 12],
            _ => wide,
        };
        let float = match n / 37 % 5 {
            0 | 1 => small as f64 * 0.75,
            2 => [
                0.0,
                -0.0,
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                1e300,
                1e-310,
                2147483648.0,
                9.3e18,
                1.9e19,
                255.5,
            ][(n / 185) as usize % 11],
            3 => int as f64,
            _ => small as f64 * 1e6,
        };
        let bits = match ty {
            Ty::Bool => u64::from(n % 2 == 1),
            Ty::F32 => u64::from((float as f32).to_bits()),
            Ty::F64 => float.to_bits(),
            _ => crate::eval::canonical(ty, int as u64),
        };
        node(ty, Kind::Const(bits))
    }

    fn variable(&mut self, scope: &Scope, ty: Ty, assignable: bool) -> Option<usize> {
        let fitting = |(i, v): (usize, &(Ty, bool))| (v.0 == ty && (v.1 || !assignable)).then_some(i);
        let all: Vec<usize> = scope.vars.iter().enumerate().filter_map(fitting).collect();
        if all.is_empty() { None } else { Some(all[self.pick(all.len())]) }
    }

    fn leaf(&mut self, scope: &Scope, ty: Ty) -> E {
        if self.pick(3) != 2
            && let Some(v) = self.variable(scope, ty, false)
        {
            return node(ty, Kind::Var(v));
        }
        match self.pick(6) {
            0 => {
                let from = if ty == Ty::Bool { Ty::Bool } else { self.int_ty() };
                match self.variable(scope, from, false) {
                    Some(v) => node(ty, Kind::Cast(node(from, Kind::Var(v)))),
                    None => self.constant(ty),
                }
            }
            1 if let Some(mem) = Mem::ALL.into_iter().find(|mem| mem.ty() == ty) => {
                let index = if self.pick(16) == 15 { 5 } else { self.pick(3) as u64 };
                node(ty, Kind::Read(Place::Item(mem, node(Ty::Usize, Kind::Const(index)))))
            }
            2 if ty == Ty::Usize => {
                let mem = self.mem();
                node(ty, Kind::Len(mem))
            }
            3 if let Some(field) = Field::ALL.into_iter().find(|f| f.ty() == ty) => {
                node(ty, Kind::Read(Place::Field(field)))
            }
            _ => self.constant(ty),
        }
    }

    fn mem(&mut self) -> Mem {
        Mem::ALL[self.pick(3)]
    }

    fn op(&mut self, ty: Ty) -> Op {
        use Op::*;
        if ty == Ty::Bool {
            return [And, Or, Xor][self.pick(3)];
        }
        if ty.is_float() {
            return [Add, Sub, Mul, Div, Min, Max, Rem, Add, Sub, Mul][self.pick(10)];
        }
        [
            Add,
            Sub,
            Mul,
            And,
            Or,
            Xor,
            Min,
            Max,
            Shl,
            Shr,
            RotateLeft,
            RotateRight,
            Div,
            Rem,
            RemEuclid,
            DivEuclid,
            Add,
            Sub,
            Mul,
            Shl,
            Shr,
            SaturatingAdd,
            SaturatingSub,
            MulHi,
        ][self.pick(24)]
    }

    /// A division that often overflows: of MIN in a variable, by -1 or anything.
    fn division_of_min(&mut self, scope: &Scope, op: Op, ty: Ty, depth: u32) -> E {
        let constant = |value: i64| node(ty, Kind::Const(crate::eval::canonical(ty, value as u64)));
        let smallest = match ty {
            Ty::I8 => i8::MIN.into(),
            Ty::I16 => i16::MIN.into(),
            Ty::I32 => i32::MIN.into(),
            _ => i64::MIN,
        };
        let by = if self.pick(2) == 0 { constant(-1) } else { self.expr(scope, ty, depth) };
        let dividend = node(ty, Kind::Let(constant(smallest), node(ty, Kind::Var(scope.vars.len()))));
        node(ty, Kind::Bin(op, dividend, by))
    }

    /// The second operand of an operation.
    fn right(&mut self, scope: &Scope, op: Op, ty: Ty, depth: u32) -> E {
        if op.takes_count() {
            return match self.pick(3) {
                0 => node(Ty::U32, Kind::Const(self.pick(70) as u64)),
                _ => self.expr(scope, Ty::U32, depth),
            };
        }
        if !divides(op) || ty.is_float() {
            return self.expr(scope, ty, depth);
        }
        // Mostly divisors that do not trap.
        match self.pick(6) {
            0 => self.expr(scope, ty, depth),
            1 => self.constant(ty),
            2 => {
                let power = 1u64 << self.pick(8 * crate::eval::size(ty));
                let power = if self.pick(2) == 0 { power } else { power.wrapping_neg() };
                node(ty, Kind::Const(crate::eval::canonical(ty, power)))
            }
            _ => {
                let divisor = self.expr(scope, ty, depth);
                node(ty, Kind::Bin(Op::Or, divisor, node(ty, Kind::Const(1))))
            }
        }
    }

    /// A usize that is mostly small.
    fn index(&mut self, scope: &Scope, depth: u32) -> E {
        let index = self.expr(scope, Ty::Usize, depth);
        if self.pick(24) == 23 {
            return index;
        }
        let mask = node(Ty::Usize, Kind::Const(3));
        node(Ty::Usize, Kind::Bin(Op::And, index, mask))
    }

    /// What returns such a value, and its arguments, mostly such that it does not trap.
    fn call(&mut self, scope: &Scope, ty: Ty, depth: u32) -> Option<(Callee, Vec<E>)> {
        let native = (0..NATIVE.len()).map(Callee::Native);
        let other = self.pick(2) == 1;
        let compiled = (0..COMPILED.len()).map(|f| Callee::Compiled(f, other));
        let all = native.chain(compiled).chain((0..HOST.len()).map(Callee::Host));
        let all: Vec<Callee> = all.filter(|callee| callee.signature().1 == ty).collect();
        if all.is_empty() {
            return None;
        }
        let callee = all[self.pick(all.len())];
        let tame = self.pick(8) != 0;
        let args = callee.signature().0.iter().enumerate().map(|(i, &ty)| match (callee, i) {
            (Callee::Compiled(0, _), 1) if tame => self.right(scope, Op::Div, ty, depth),
            (Callee::Compiled(2, _), 0) => self.index(scope, depth),
            (Callee::Compiled(3, _), 2) if tame => node(ty, Kind::Const(0)),
            (Callee::Host(2), 0) if self.pick(3) != 0 => {
                let x = self.expr(scope, ty, depth);
                node(ty, Kind::Bin(Op::And, x, node(ty, Kind::Const(0xfb))))
            }
            _ => self.expr(scope, ty, depth),
        });
        let args = args.collect();
        Some((callee, args))
    }

    /// A place of this type that is not a variable.
    fn place(&mut self, scope: &Scope, ty: Ty, depth: u32) -> Option<Place> {
        let mem = Mem::ALL.into_iter().find(|mem| mem.ty() == ty);
        let field = Field::ALL.into_iter().find(|field| field.ty() == ty);
        Some(match (self.pick(6), mem, field) {
            (0, ..) if ty != Ty::Bool => {
                let raw = [Raw::Add, Raw::Offset, Raw::Volatile, Raw::Unaligned, Raw::Swapped][self.pick(5)];
                let raw = if raw == Raw::Swapped && ty.is_float() { Raw::Unaligned } else { raw };
                Place::Raw(raw, ty, self.expr(scope, Ty::Usize, depth))
            }
            (1, Some(mem), _) => {
                let from = self.index(scope, depth);
                Place::Part(mem, from, self.index(scope, depth))
            }
            (1 | 2, _, Some(field)) => Place::Field(field),
            (_, Some(mem), _) => Place::Item(mem, self.index(scope, depth)),
            (_, _, Some(field)) => Place::Row(self.index(scope, depth), field),
            _ if ty == Ty::I16 => Place::Element(self.index(scope, depth)),
            _ => return None,
        })
    }

    fn block(&mut self, scope: &Scope, depth: u32) -> Block {
        Rc::new(self.stmts(scope, depth))
    }
}
