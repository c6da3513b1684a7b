//! Expressions.

use super::*;

impl Choices<'_, '_> {
    pub(super) fn expr(&mut self, scope: &Scope, ty: Ty, depth: u32) -> E {
        if depth == 0 || self.budget == 0 || self.bytes.is_empty() {
            return self.leaf(scope, ty);
        }
        self.budget -= 1;
        let d = depth - 1;
        // What is evaluated while nothing else waits; of the rest, something may be.
        let alone = scope;
        let scope = &scope.operand();
        let which = self.pick(40);
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
                if op.takes_count() { Kind::Twice(Op::Add, a) } else { Kind::Twice(op, a) }
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
                let (a, b) = (self.expr(alone, ty, d), self.expr(alone, ty, d));
                Kind::If(c, a, b)
            }
            15 => {
                let int = self.int_ty();
                let x = self.expr(scope, int, d);
                let (a, b, c) = (self.expr(scope, ty, d), self.expr(scope, ty, d), self.expr(scope, ty, d));
                let last = self.expr(&alone.with(int, false), ty, d);
                Kind::Match(x, a, b, c, last)
            }
            16 | 17 => {
                let block = self.block(alone, d);
                let value = self.expr(alone, ty, d);
                Kind::Block(block, value)
            }
            18 | 19 => {
                let var = self.ty();
                let init = self.expr(alone, var, d);
                let body = self.expr(&alone.with(var, true), ty, d);
                Kind::Let(init, body)
            }
            20 => {
                let limit = self.pick(4) as u32;
                let a = self.expr(alone, ty, d);
                let block = self.block(alone, d);
                let (c, b) = (self.expr(scope, Ty::Bool, d), self.expr(scope, ty, d));
                Kind::LoopValue(limit, a, block, c, b)
            }
            22..=24 | 28 if ty == Ty::Bool => self.comparison(scope, d),
            21..=23 => match self.place(scope, ty, d) {
                Some(place) => Kind::Read(place),
                None => return self.leaf(scope, ty),
            },
            25 | 26 => match self.spliced(Some(ty)) {
                Some(fragment) => Kind::Fragment(fragment),
                None => return self.leaf(scope, ty),
            },
            24 | 27 | 28 | 33 => match self.call(scope, ty, d.min(2)) {
                Some((callee, args)) if self.pick(3) == 0 => Kind::DynCall(callee, args),
                Some((callee, args)) => Kind::Call(callee, args),
                None => return self.leaf(scope, ty),
            },
            35 | 36 => match (0..self.functions).find(|&f| OWN[f].1 == ty) {
                Some(f) => Kind::CallOwn(f, OWN[f].0.iter().map(|&ty| self.expr(scope, ty, d.min(2))).collect()),
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
            34 if self.pick(4) == 0 => {
                let c = self.expr(scope, Ty::Bool, d);
                let (r, v) = (self.expr(scope, scope.result, d), self.expr(scope, ty, d));
                Kind::ReturnIf(c, r, v)
            }
            37 if scope.labels > 0 => {
                let c = self.expr(scope, Ty::Bool, d);
                let label = self.pick(scope.labels);
                Kind::GotoIf(c, label, self.expr(scope, ty, d))
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
        let mut tree = self.leaf(scope, ty);
        for _ in 0..length {
            let op = if mixed { self.op(ty) } else { op };
            let depth = self.pick(2) as u32;
            if op.takes_count() {
                let count = self.expr(scope, Ty::U32, depth);
                tree = node(ty, Kind::Bin(op, tree, count));
                if !to_the_right {
                    continue;
                }
            }
            let op = if op.takes_count() { Op::Xor } else { plain(op) };
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
            let un = [Neg, Abs, Sqrt, Floor, Ceil, Trunc, Round, RoundTiesEven][self.pick(8)];
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
}
