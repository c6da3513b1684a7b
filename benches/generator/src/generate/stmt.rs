//! Statements.

use super::*;

impl Choices<'_, '_> {
    pub(super) fn stmts(&mut self, scope: &Scope, depth: u32) -> Vec<Stmt> {
        let count = self.pick(4);
        (0..count).map(|_| self.stmt(scope, depth)).collect()
    }

    /// A variable that may be assigned, and its type.
    fn target(&mut self, scope: &Scope) -> (usize, Ty) {
        let all: Vec<usize> = (0..scope.vars.len()).filter(|&i| scope.vars[i].1).collect();
        let v = all[self.pick(all.len())];
        (v, scope.vars[v].0)
    }

    pub(super) fn stmt(&mut self, scope: &Scope, depth: u32) -> Stmt {
        self.budget = self.budget.saturating_sub(1);
        let d = depth.saturating_sub(1);
        let nested = depth > 0 && self.budget > 0;
        match self.pick(36) {
            0..=5 => {
                let (v, ty) = self.target(scope);
                Stmt::Assign(Place::Var(v), self.expr(scope, ty, depth))
            }
            6..=9 => {
                let (v, ty) = self.target(scope);
                let op = self.assign_op(ty);
                Stmt::AssignOp(op, Place::Var(v), self.right(&scope.operand(), op, ty, depth))
            }
            10..=16 | 24 => {
                let ty = match self.pick(9) {
                    0 => self.ty(),
                    k => [Ty::I64, Ty::U8, Ty::F32, Ty::I16, Ty::I32, Ty::F64, Ty::Bool, Ty::I64][k - 1],
                };
                let place = self.place(&scope.operand(), ty, d);
                let place = place.unwrap_or_else(|| Place::Raw(Raw::Add, ty, self.constant(Ty::Usize)));
                // What is written by methods is not updated, nor are floats whose bits will be seen.
                let updated = match place {
                    Place::Raw(raw, ty, _) => matches!(raw, Raw::Add | Raw::Offset) && !ty.is_float(),
                    _ => true,
                };
                if updated && self.pick(2) == 0 {
                    let op = self.assign_op(ty);
                    Stmt::AssignOp(op, place, self.right(&scope.operand(), op, ty, depth))
                } else {
                    Stmt::Assign(place, self.expr(&scope.operand(), ty, depth))
                }
            }
            17 | 18 if nested => {
                let c = self.expr(&scope.operand(), Ty::Bool, d);
                let (a, b) = (self.block(scope, d), self.block(scope, d));
                Stmt::If(c, a, b)
            }
            19 if nested => {
                let limit = self.pick(6) as u32;
                let (c, a) = (self.expr(&scope.operand(), Ty::Bool, d), self.block(scope, d));
                let (skip, b) = (self.expr(&scope.operand(), Ty::Bool, d), self.block(scope, d));
                Stmt::While(limit, c, a, skip, b)
            }
            20 if nested => {
                let (limit, a) = (self.pick(6) as u32, self.block(scope, d));
                let (c, b) = (self.expr(&scope.operand(), Ty::Bool, d), self.block(scope, d));
                Stmt::Loop(limit, a, c, b)
            }
            21 if nested => {
                let ty = self.int_ty();
                let operand = scope.operand();
                let (from, to) = (self.expr(&operand, ty, d), self.expr(&operand, ty, d));
                let inclusive = self.pick(2) == 0;
                let factor = [0, 0, 0, 1, 2, 3, 8][self.pick(7)];
                Stmt::For(from, to, inclusive, factor, self.block(&scope.with(ty, false), d))
            }
            22 if nested => match self.variable(scope, Ty::Usize, true) {
                Some(v) => Stmt::ForVar(v, self.block(&scope.with(Ty::Usize, false), d)),
                None => {
                    let mem = self.mem();
                    Stmt::ForLen(mem, self.block(&scope.with(Ty::Usize, false), d))
                }
            },
            25 if nested => {
                let ty = self.ty();
                let count = self.pick(5);
                let values = self.constants(ty, count);
                Stmt::Unroll(ty, values, self.block(&scope.with(ty, false), d))
            }
            26 if nested => {
                let limit = self.pick(4) as u32;
                let operand = scope.operand();
                let (c, skip) = (self.expr(&operand, Ty::Bool, d), self.expr(&operand, Ty::Bool, d));
                Stmt::Labelled(limit, c, skip, self.block(&scope.with(Ty::Usize, false), d))
            }
            27 | 28 => match self.spliced(None) {
                Some(fragment) => Stmt::Fragment(fragment),
                None => {
                    let (v, ty) = self.target(scope);
                    Stmt::Assign(Place::Var(v), self.expr(scope, ty, depth))
                }
            },
            23 => match self.pick(10) {
                0 => Stmt::Return(self.expr(scope, scope.result, d)),
                2..=4 => Stmt::Log(self.expr(scope, Ty::U8, d)),
                1 => Stmt::Trap(self.expr(scope, Ty::U32, d)),
                _ => {
                    let ty = self.ty();
                    Stmt::Discard(self.expr(scope, ty, depth))
                }
            },
            29 | 30 | 34 if nested && scope.places_labels && depth > 1 => self.region(scope, d),
            31..=33 if scope.labels > 0 => self.jump(scope, d),
            _ => {
                let (v, ty) = self.target(scope);
                Stmt::Assign(Place::Var(v), self.expr(scope, ty, depth))
            }
        }
    }

    fn region(&mut self, scope: &Scope, depth: u32) -> Stmt {
        let count = 1 + self.pick(4);
        let scope = Scope { labels: scope.labels + count + 1, ..scope.clone() };
        let segments = (0..count).map(|_| match self.pick(4) {
            0 | 1 => Segment::Block(self.block(&scope, depth)),
            2 => {
                let (rounds, is_while) = (self.pick(4) as u32, self.pick(2) == 0);
                let a = self.block(&scope, depth);
                Segment::Loop(rounds, is_while, a, self.block(&scope, depth))
            }
            _ => {
                let (var, ty) = self.target(&scope);
                let passed = self.pick(4) as u32;
                let c = self.expr(&scope.operand(), Ty::Bool, depth);
                let (a, x) = (self.block(&scope, depth), self.expr(&scope, ty, depth));
                let (b, d) = (self.block(&scope, depth), self.block(&scope, depth));
                Segment::Arm(Rc::new(Arm { var, passed, c, a, x, b, d, y: self.expr(&scope, ty, depth) }))
            }
        });
        let segments = segments.collect();
        Stmt::Region(Rc::new(Region { limit: [3, 10, 30][self.pick(3)], segments }))
    }

    /// A jump, mostly a conditional one.
    fn jump(&mut self, scope: &Scope, depth: u32) -> Stmt {
        let jump = match self.pick(4) {
            0 => {
                let index = self.index(&scope.operand(), depth);
                let count = if self.pick(3) == 0 { self.pick(4) } else { 4 };
                Stmt::JumpTable(index, (0..count).map(|_| self.pick(scope.labels)).collect())
            }
            _ => Stmt::Goto(self.pick(scope.labels)),
        };
        if self.pick(4) == 0 {
            return jump;
        }
        let c = self.expr(&scope.operand(), Ty::Bool, depth);
        Stmt::If(c, Rc::new(vec![jump]), Rc::default())
    }

    /// An operation that has a compound assignment.
    fn assign_op(&mut self, ty: Ty) -> Op {
        match self.op(ty) {
            Op::Min | Op::RotateLeft | Op::SaturatingAdd => Op::Add,
            Op::Max | Op::RotateRight | Op::SaturatingSub => Op::Sub,
            Op::MulHi => Op::Mul,
            Op::RemEuclid => Op::Rem,
            Op::DivEuclid => Op::Div,
            op => op,
        }
    }
}
