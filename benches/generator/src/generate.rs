//! Programs out of bytes: each choice takes some, and where they have run out, the first alternative, which is a small one.

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
}

impl Scope {
    fn with(&self, ty: Ty, assignable: bool) -> Scope {
        let mut scope = self.clone();
        scope.vars.push((ty, assignable));
        scope
    }
}

fn node(ty: Ty, kind: Kind) -> E {
    Rc::new(Expr { ty, kind })
}

fn program(bytes: &mut Unstructured<'_>) -> Program {
    let mut c = Choices { bytes, budget: NODES, fragments: Vec::new() };
    let params = if c.pick(2) == 0 { Params::Few } else { Params::Many };
    let count = [0, 2, 6, 14, 34][c.pick(5)];
    // Mostly few types, so that one class of registers runs out.
    let locals: Vec<Ty> = match c.pick(4) {
        0 => (0..count).map(|_| Ty::I64).collect(),
        1 => (0..count).map(|_| Ty::F64).collect(),
        _ => (0..count).map(|_| c.ty()).collect(),
    };
    let result = [Ty::I64, Ty::F64, Ty::U8, Ty::Bool, Ty::F32, Ty::I16][c.pick(6)];
    let vars = params.scalars().iter().chain(&locals).map(|&ty| (ty, true)).collect();
    let scope = Scope { vars, result };
    let fragments = (0..c.pick(5)).map(|_| c.fragment(&scope)).collect();
    let mut body = Vec::new();
    // Locals with values of their own, so that they are not all alike.
    for (i, &ty) in locals.iter().enumerate() {
        if c.pick(3) != 0 {
            body.push(Stmt::Assign(params.scalars().len() + i, c.leaf(&scope, ty)));
        }
    }
    let count = c.pick(9);
    body.extend((0..count).map(|_| c.stmt(&scope, 3)));
    let value = c.expr(&scope, result, 5);
    Program { params, locals, fragments, body: Rc::new(body), value }
}

impl Choices<'_, '_> {
    fn next(&mut self) -> u32 {
        self.bytes.arbitrary().unwrap_or(0)
    }

    fn pick(&mut self, n: usize) -> usize {
        self.bytes.int_in_range(0..=n - 1).unwrap_or(0)
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
            1 if matches!(ty, Ty::I64 | Ty::U8 | Ty::F32) => {
                let mem = if ty == Ty::I64 {
                    Mem::S
                } else if ty == Ty::U8 {
                    Mem::T
                } else {
                    Mem::W
                };
                let index = if self.pick(16) == 15 { 5 } else { self.pick(3) as u64 };
                node(ty, Kind::Load(mem, node(Ty::Usize, Kind::Const(index))))
            }
            2 if ty == Ty::Usize => {
                let mem = self.mem();
                node(ty, Kind::Len(mem))
            }
            3 if Field::ALL.iter().any(|f| f.ty() == ty) => {
                let field = Field::ALL.into_iter().find(|f| f.ty() == ty).expect("just seen");
                node(ty, Kind::Field(field))
            }
            _ => self.constant(ty),
        }
    }

    fn mem(&mut self) -> Mem {
        [Mem::S, Mem::T, Mem::W][self.pick(3)]
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
        ][self.pick(21)]
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
        let ty = if matches!(op, Op::Shl | Op::Shr | Op::RotateLeft | Op::RotateRight) { Ty::U32 } else { ty };
        if divides(op) && !ty.is_float() && self.pick(4) != 0 {
            // Mostly divisors that do not trap.
            let divisor = self.expr(scope, ty, depth);
            let one = node(ty, Kind::Const(1));
            return node(ty, Kind::Bin(Op::Or, divisor, one));
        }
        self.expr(scope, ty, depth)
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

    /// Arguments of a compiled function, mostly such that it does not trap.
    fn compiled_args(&mut self, scope: &Scope, f: usize, depth: u32) -> Vec<E> {
        let tame = self.pick(8) != 0;
        let args = COMPILED[f].0.iter().enumerate().map(|(i, &ty)| match (f, i) {
            (0, 1) if tame => self.right(scope, Op::Div, ty, depth),
            (2, 0) => self.index(scope, depth),
            (3, 2) if tame => node(ty, Kind::Const(0)),
            _ => self.expr(scope, ty, depth),
        });
        args.collect()
    }

    fn block(&mut self, scope: &Scope, depth: u32) -> Block {
        Rc::new(self.stmts(scope, depth))
    }

    fn expr(&mut self, scope: &Scope, ty: Ty, depth: u32) -> E {
        if depth == 0 || self.budget == 0 || self.bytes.is_empty() {
            return self.leaf(scope, ty);
        }
        self.budget -= 1;
        let d = depth - 1;
        let which = self.pick(36);
        let kind = match which {
            0 => return self.leaf(scope, ty),
            1..=7 => {
                let op = self.op(ty);
                if divides(op) && ty.is_signed() && self.pick(8) == 0 {
                    return self.division_of_min(scope, op, ty, d);
                }
                let a = self.expr(scope, ty, d);
                let b = self.right(scope, op, ty, d);
                Kind::Bin(op, a, b)
            }
            8 => return self.chain(scope, ty),
            9 => {
                let a = self.expr(scope, ty, d);
                let op = self.op(ty);
                if matches!(op, Op::Shl | Op::Shr | Op::RotateLeft | Op::RotateRight) {
                    Kind::Twice(Op::Add, a)
                } else {
                    Kind::Twice(op, a)
                }
            }
            10 | 11 => self.unary(scope, ty, d),
            12 | 13 => {
                let from = if ty == Ty::Bool { Ty::Bool } else { self.ty() };
                let from = if ty.is_float() && from == Ty::Bool { Ty::I16 } else { from };
                let a = self.expr(scope, from, d);
                Kind::Cast(a)
            }
            14 => {
                let c = self.expr(scope, Ty::Bool, d);
                let (a, b) = (self.expr(scope, ty, d), self.expr(scope, ty, d));
                Kind::If(c, a, b)
            }
            15 => {
                let int = self.int_ty();
                let x = self.expr(scope, int, d);
                let (a, b, c) = (self.expr(scope, ty, d), self.expr(scope, ty, d), self.expr(scope, ty, d));
                let last = self.expr(&scope.with(int, false), ty, d);
                Kind::Match(x, a, b, c, last)
            }
            16 | 17 => {
                let block = self.block(scope, d);
                let value = self.expr(scope, ty, d);
                Kind::Block(block, value)
            }
            18 | 19 => {
                let var = self.ty();
                let init = self.expr(scope, var, d);
                let body = self.expr(&scope.with(var, true), ty, d);
                Kind::Let(init, body)
            }
            20 => {
                let limit = self.pick(4) as u32;
                let a = self.expr(scope, ty, d);
                let block = self.block(scope, d);
                let (c, b) = (self.expr(scope, Ty::Bool, d), self.expr(scope, ty, d));
                Kind::LoopValue(limit, a, block, c, b)
            }
            21 | 22 => match ty {
                Ty::I64 => Kind::Load(Mem::S, self.index(scope, d)),
                Ty::U8 => Kind::Load(Mem::T, self.index(scope, d)),
                Ty::F32 => Kind::Load(Mem::W, self.index(scope, d)),
                Ty::I16 => Kind::Element(self.index(scope, d)),
                Ty::Bool => self.comparison(scope, d),
                _ => return self.leaf(scope, ty),
            },
            23 | 24 => match FUNCTIONS.iter().position(|f| f.1 == ty) {
                Some(f) => {
                    let args = FUNCTIONS[f].0.iter().map(|&ty| self.expr(scope, ty, d.min(2))).collect();
                    Kind::Call(f, args)
                }
                None if ty == Ty::Bool => self.comparison(scope, d),
                None => return self.leaf(scope, ty),
            },
            25 | 26 => match self.spliced(Some(ty)) {
                Some(fragment) => Kind::Fragment(fragment),
                None => return self.leaf(scope, ty),
            },
            27 | 28 => match COMPILED.iter().position(|f| f.1 == ty) {
                // Of the two that return an i64, either.
                Some(f) => {
                    let f = if ty == Ty::I64 { 2 * self.pick(2) } else { f };
                    let other = self.pick(2) == 1;
                    Kind::CallCompiled(f, other, self.compiled_args(scope, f, d.min(2)))
                }
                None => return self.leaf(scope, ty),
            },
            29 if ty != Ty::Bool => {
                let (x, a) = (self.expr(scope, ty, d), self.expr(scope, ty, d));
                Kind::Bare(x, a, self.expr(scope, ty, d))
            }
            30 => {
                let c = self.pick(2) == 1;
                let a = self.expr(scope, ty, d);
                Kind::IfConst(c, a, self.expr(scope, ty, d))
            }
            31 => {
                let n = self.pick(4) as u64;
                let (a, b) = (self.expr(scope, ty, d), self.expr(scope, ty, d));
                Kind::MatchConst(n, a, b, self.expr(scope, ty, d))
            }
            32 if ty != Ty::Bool => {
                let count = if self.pick(6) == 0 { self.pick(4) } else { 4 };
                let table = self.constants(ty, count);
                Kind::Table(table, self.index(scope, d))
            }
            33 => match Field::ALL.into_iter().find(|field| field.ty() == ty) {
                Some(field) => Kind::Row(self.index(scope, d), field),
                None => return self.leaf(scope, ty),
            },
            34 if self.pick(4) == 0 => {
                let c = self.expr(scope, Ty::Bool, d);
                let (r, v) = (self.expr(scope, scope.result, d), self.expr(scope, ty, d));
                Kind::ReturnIf(c, r, v)
            }
            _ => self.unary(scope, ty, d),
        };
        node(ty, kind)
    }

    /// A tree as deep as it has nodes, to one side.
    fn chain(&mut self, scope: &Scope, ty: Ty) -> E {
        let length = 4 + self.pick(26);
        let to_the_right = self.pick(2) == 0;
        let mixed = self.pick(3) == 0;
        let op = self.op(ty);
        let plain = |op| if divides(op) && !ty.is_float() { Op::Sub } else { op };
        let shifts = |op| matches!(op, Op::Shl | Op::Shr | Op::RotateLeft | Op::RotateRight);
        let mut tree = self.leaf(scope, ty);
        for _ in 0..length {
            let op = if mixed { self.op(ty) } else { op };
            let depth = self.pick(2) as u32;
            if shifts(op) {
                let count = self.expr(scope, Ty::U32, depth);
                tree = node(ty, Kind::Bin(op, tree, count));
                if !to_the_right {
                    continue;
                }
            }
            let op = if shifts(op) { Op::Xor } else { plain(op) };
            let other = self.expr(scope, ty, depth);
            let (a, b) = if to_the_right { (other, tree) } else { (tree, other) };
            tree = node(ty, Kind::Bin(op, a, b));
        }
        tree
    }

    fn comparison(&mut self, scope: &Scope, d: u32) -> Kind {
        let cmp = [Cmp::Lt, Cmp::Eq, Cmp::Ne, Cmp::Le, Cmp::Gt, Cmp::Ge][self.pick(6)];
        let ty = self.ty();
        let (a, b) = (self.expr(scope, ty, d), self.expr(scope, ty, d));
        Kind::Cmp(cmp, a, b)
    }

    fn unary(&mut self, scope: &Scope, ty: Ty, d: u32) -> Kind {
        use Un::*;
        if ty == Ty::Bool {
            return match self.pick(9) {
                0 => Kind::Un(Not, self.expr(scope, ty, d)),
                1 | 2 => {
                    let a = self.expr(scope, ty, d);
                    Kind::And(a, self.expr(scope, ty, d))
                }
                3 | 4 => {
                    let a = self.expr(scope, ty, d);
                    Kind::Or(a, self.expr(scope, ty, d))
                }
                5 => {
                    let float = [Ty::F32, Ty::F64][self.pick(2)];
                    Kind::IsNan(self.expr(scope, float, d))
                }
                6 => {
                    let int = self.int_ty();
                    let a = self.expr(scope, int, d);
                    let b = self.right(scope, Op::Rem, int, d);
                    Kind::Multiple(a, b, self.pick(2) == 0)
                }
                _ => self.comparison(scope, d),
            };
        }
        if ty.is_float() {
            if self.pick(8) == 7 {
                let bits = if ty == Ty::F32 { Ty::U32 } else { Ty::U64 };
                return Kind::FromBits(self.expr(scope, bits, d));
            }
            let un = [Neg, Abs, Sqrt, Floor, Ceil, Trunc][self.pick(6)];
            return Kind::Un(un, self.expr(scope, ty, d));
        }
        match self.pick(8) {
            0 if ty == Ty::U32 => {
                let count = [Count::Ones, Count::Zeros, Count::Leading, Count::Trailing][self.pick(4)];
                let int = self.int_ty();
                Kind::Count(count, self.expr(scope, int, d))
            }
            1 if ty == Ty::U32 => Kind::ToBits(self.expr(scope, Ty::F32, d)),
            1 if ty == Ty::U64 => Kind::ToBits(self.expr(scope, Ty::F64, d)),
            2 if ty.is_signed() => Kind::Un(Abs, self.expr(scope, ty, d)),
            3 if ty.is_signed() => Kind::Un(Signum, self.expr(scope, ty, d)),
            4 => Kind::Un(SwapBytes, self.expr(scope, ty, d)),
            5 => Kind::Un(Not, self.expr(scope, ty, d)),
            6 => {
                let float = [Ty::F32, Ty::F64][self.pick(2)];
                Kind::Cast(self.expr(scope, float, d))
            }
            _ => Kind::Un(Neg, self.expr(scope, ty, d)),
        }
    }

    fn stmts(&mut self, scope: &Scope, depth: u32) -> Vec<Stmt> {
        let count = self.pick(4);
        (0..count).map(|_| self.stmt(scope, depth)).collect()
    }

    /// A variable that may be assigned, and its type.
    fn target(&mut self, scope: &Scope) -> (usize, Ty) {
        let all: Vec<usize> = (0..scope.vars.len()).filter(|&i| scope.vars[i].1).collect();
        let v = all[self.pick(all.len())];
        (v, scope.vars[v].0)
    }

    fn stmt(&mut self, scope: &Scope, depth: u32) -> Stmt {
        self.budget = self.budget.saturating_sub(1);
        let d = depth.saturating_sub(1);
        let nested = depth > 0 && self.budget > 0;
        match self.pick(30) {
            0..=5 => {
                let (v, ty) = self.target(scope);
                Stmt::Assign(v, self.expr(scope, ty, depth))
            }
            6..=9 => {
                let (v, ty) = self.target(scope);
                let op = self.assign_op(ty);
                Stmt::AssignOp(op, v, self.right(scope, op, ty, depth))
            }
            10 | 11 => {
                let mem = self.mem();
                let (i, v) = (self.index(scope, d), self.expr(scope, mem.ty(), depth));
                Stmt::Store(mem, i, v)
            }
            12 | 13 => {
                let mem = self.mem();
                let op = self.assign_op(mem.ty());
                let (i, v) = (self.index(scope, d), self.right(scope, op, mem.ty(), depth));
                Stmt::StoreOp(op, mem, i, v)
            }
            14 => {
                let field = Field::ALL[self.pick(4)];
                Stmt::SetField(field, self.expr(scope, field.ty(), depth))
            }
            15 => {
                let field = Field::ALL[self.pick(4)];
                let op = self.assign_op(field.ty());
                Stmt::FieldOp(op, field, self.right(scope, op, field.ty(), depth))
            }
            16 => {
                let i = self.index(scope, d);
                Stmt::SetElement(i, self.expr(scope, Ty::I16, depth))
            }
            17 | 18 if nested => {
                let c = self.expr(scope, Ty::Bool, d);
                let (a, b) = (self.block(scope, d), self.block(scope, d));
                Stmt::If(c, a, b)
            }
            19 if nested => {
                let limit = self.pick(6) as u32;
                let (c, a) = (self.expr(scope, Ty::Bool, d), self.block(scope, d));
                let (skip, b) = (self.expr(scope, Ty::Bool, d), self.block(scope, d));
                Stmt::While(limit, c, a, skip, b)
            }
            20 if nested => {
                let (limit, a) = (self.pick(6) as u32, self.block(scope, d));
                let (c, b) = (self.expr(scope, Ty::Bool, d), self.block(scope, d));
                Stmt::Loop(limit, a, c, b)
            }
            21 if nested => {
                let ty = self.int_ty();
                let (from, to) = (self.expr(scope, ty, d), self.expr(scope, ty, d));
                let inclusive = self.pick(2) == 0;
                Stmt::For(from, to, inclusive, self.block(&scope.with(ty, false), d))
            }
            22 if nested => match self.variable(scope, Ty::Usize, true) {
                Some(v) => Stmt::ForVar(v, self.block(&scope.with(Ty::Usize, false), d)),
                None => {
                    let mem = self.mem();
                    Stmt::ForLen(mem, self.block(&scope.with(Ty::Usize, false), d))
                }
            },
            24 => {
                let (i, field) = (self.index(scope, d), Field::ALL[self.pick(4)]);
                Stmt::SetRow(i, field, self.expr(scope, field.ty(), depth))
            }
            25 if nested => {
                let ty = self.ty();
                let count = self.pick(5);
                let values = self.constants(ty, count);
                Stmt::Unroll(ty, values, self.block(&scope.with(ty, false), d))
            }
            26 if nested => {
                let limit = self.pick(4) as u32;
                let (c, skip) = (self.expr(scope, Ty::Bool, d), self.expr(scope, Ty::Bool, d));
                Stmt::Labelled(limit, c, skip, self.block(&scope.with(Ty::Usize, false), d))
            }
            27 | 28 => match self.spliced(None) {
                Some(fragment) => Stmt::Fragment(fragment),
                None => {
                    let (v, ty) = self.target(scope);
                    Stmt::Assign(v, self.expr(scope, ty, depth))
                }
            },
            23 => match self.pick(10) {
                0 => Stmt::Return(self.expr(scope, scope.result, d)),
                1 => Stmt::Trap(self.expr(scope, Ty::U32, d)),
                _ => {
                    let ty = self.ty();
                    Stmt::Discard(self.expr(scope, ty, depth))
                }
            },
            _ => {
                let (v, ty) = self.target(scope);
                Stmt::Assign(v, self.expr(scope, ty, depth))
            }
        }
    }

    /// An operation that has a compound assignment.
    fn assign_op(&mut self, ty: Ty) -> Op {
        match self.op(ty) {
            Op::Min | Op::RotateLeft => Op::Add,
            Op::Max | Op::RotateRight => Op::Sub,
            Op::RemEuclid => Op::Rem,
            Op::DivEuclid => Op::Div,
            op => op,
        }
    }
}
