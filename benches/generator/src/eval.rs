//! What a program means, by the operators of Rust.

use crate::ast::*;
use crate::functions;
use crate::memory::{Memory, Rec};

/// How a program ends other than by its value.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    DivisionByZero,
    DivisionOverflow,
    Index,
    Code(u32),
    Return(u64),
    /// It runs too long to be of use.
    Fuel,
}

pub fn canonical(ty: Ty, bits: u64) -> u64 {
    match ty {
        Ty::I8 => bits as i8 as u64,
        Ty::I16 => bits as i16 as u64,
        Ty::I32 => bits as i32 as u64,
        Ty::U8 => bits as u8 as u64,
        Ty::U16 => bits as u16 as u64,
        Ty::U32 | Ty::F32 => bits as u32 as u64,
        Ty::Bool => bits & 1,
        _ => bits,
    }
}

/// Calls `$then` with the Rust type.
macro_rules! by_type {
    ($ty:expr, int $t:ident => $int:expr, float $f:ident => $float:expr, bool => $bool:expr) => {
        match $ty {
            Ty::I8 => {
                type $t = i8;
                $int
            }
            Ty::I16 => {
                type $t = i16;
                $int
            }
            Ty::I32 => {
                type $t = i32;
                $int
            }
            Ty::I64 => {
                type $t = i64;
                $int
            }
            Ty::Isize => {
                type $t = isize;
                $int
            }
            Ty::U8 => {
                type $t = u8;
                $int
            }
            Ty::U16 => {
                type $t = u16;
                $int
            }
            Ty::U32 => {
                type $t = u32;
                $int
            }
            Ty::U64 => {
                type $t = u64;
                $int
            }
            Ty::Usize => {
                type $t = usize;
                $int
            }
            Ty::F32 => {
                type $f = f32;
                $float
            }
            Ty::F64 => {
                type $f = f64;
                $float
            }
            Ty::Bool => $bool,
        }
    };
}

fn divided<T>(zero: bool, value: Option<T>) -> Result<T, Stop> {
    match value {
        Some(value) => Ok(value),
        None if zero => Err(Stop::DivisionByZero),
        None => Err(Stop::DivisionOverflow),
    }
}

/// A float's bits back to the float.
trait Float: Copy {
    fn of(bits: u64) -> Self;
    fn bits(self) -> u64;
}
impl Float for f32 {
    fn of(bits: u64) -> f32 {
        f32::from_bits(bits as u32)
    }
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
}
impl Float for f64 {
    fn of(bits: u64) -> f64 {
        f64::from_bits(bits)
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

pub fn binary(op: Op, ty: Ty, x: u64, y: u64) -> Result<u64, Stop> {
    by_type!(ty,
        int T => {
            let (a, b) = (x as T, y as T);
            Ok(match op {
                Op::Add => a.wrapping_add(b),
                Op::Sub => a.wrapping_sub(b),
                Op::Mul => a.wrapping_mul(b),
                Op::And => a & b,
                Op::Or => a | b,
                Op::Xor => a ^ b,
                Op::Div => divided(b == 0, a.checked_div(b))?,
                Op::Rem => divided(b == 0, a.checked_rem(b))?,
                Op::RemEuclid => divided(b == 0, a.checked_rem_euclid(b))?,
                Op::DivEuclid => divided(b == 0, a.checked_div_euclid(b))?,
                Op::Min => a.min(b),
                Op::Max => a.max(b),
                Op::Shl => a.wrapping_shl(y as u32),
                Op::Shr => a.wrapping_shr(y as u32),
                Op::RotateLeft => a.rotate_left(y as u32 % T::BITS),
                Op::RotateRight => a.rotate_right(y as u32 % T::BITS),
            } as u64)
        },
        float F => {
            let (a, b) = (F::of(x), F::of(y));
            Ok(Float::bits(match op {
                Op::Add => a + b,
                Op::Sub => a - b,
                Op::Mul => a * b,
                Op::Div => a / b,
                Op::Rem => a % b,
                // Of two zeros the left one.
                Op::Min => if b < a || a.is_nan() { b } else { a },
                Op::Max => if b > a || a.is_nan() { b } else { a },
                _ => unreachable!("{op:?} of floats"),
            }))
        },
        bool => Ok(match op {
            Op::And => x & y,
            Op::Or => x | y,
            Op::Xor => x ^ y,
            _ => unreachable!("{op:?} of bool"),
        })
    )
}

fn unary(un: Un, ty: Ty, x: u64) -> u64 {
    let int = by_type!(ty,
        int T => {
            let a = x as T;
            match un {
                Un::Neg => a.wrapping_neg() as u64,
                Un::Not => !a as u64,
                Un::SwapBytes => a.swap_bytes() as u64,
                Un::Abs => if (a as i64) < 0 { a.wrapping_neg() as u64 } else { a as u64 },
                Un::Signum => (a as i64).signum() as u64,
                _ => unreachable!("{un:?} of an integer"),
            }
        },
        float F => {
            let a = F::of(x);
            return Float::bits(match un {
                Un::Neg => -a,
                Un::Abs => a.abs(),
                Un::Sqrt => a.sqrt(),
                Un::Floor => a.floor(),
                Un::Ceil => a.ceil(),
                Un::Trunc => a.trunc(),
                _ => unreachable!("{un:?} of a float"),
            });
        },
        bool => x ^ 1
    );
    canonical(ty, int)
}

fn count(count: Count, ty: Ty, x: u64) -> u64 {
    u64::from(by_type!(ty,
        int T => {
            let a = x as T;
            match count {
                Count::Ones => a.count_ones(),
                Count::Zeros => a.count_zeros(),
                Count::Leading => a.leading_zeros(),
                Count::Trailing => a.trailing_zeros(),
            }
        },
        float _F => unreachable!(),
        bool => unreachable!()
    ))
}

fn cast(from: Ty, to: Ty, x: u64) -> u64 {
    by_type!(from,
        int S => by_type!(to, int T => x as S as T as u64, float F => Float::bits(x as S as F), bool => unreachable!()),
        float S => by_type!(to, int T => S::of(x) as T as u64, float F => Float::bits(S::of(x) as F), bool => unreachable!()),
        bool => x
    )
}

fn compare(cmp: Cmp, ty: Ty, x: u64, y: u64) -> bool {
    fn of<T: PartialOrd>(cmp: Cmp, a: T, b: T) -> bool {
        match cmp {
            Cmp::Eq => a == b,
            Cmp::Ne => a != b,
            Cmp::Lt => a < b,
            Cmp::Le => a <= b,
            Cmp::Gt => a > b,
            Cmp::Ge => a >= b,
        }
    }
    by_type!(ty, int T => of(cmp, x as T, y as T), float F => of(cmp, F::of(x), F::of(y)), bool => of(cmp, x, y))
}

/// How many nodes a run may evaluate.
const FUEL: u32 = 20_000;

/// A run of a program.
pub struct Run<'a> {
    pub memory: Memory,
    vars: Vec<(Ty, u64)>,
    /// Parameters and locals: what a fragment sees of the variables.
    roots: usize,
    fragments: &'a [Fragment],
    fuel: u32,
}

/// The result, and the memory afterwards.
pub fn run(program: &Program, args: &[u64], memory: Memory) -> (Result<u64, Stop>, Memory) {
    let params = program.params.scalars().iter().copied().zip(args.iter().copied());
    let vars: Vec<(Ty, u64)> = params.chain(program.locals.iter().map(|&ty| (ty, 0))).collect();
    let roots = vars.len();
    let mut run = Run { memory, vars, roots, fragments: &program.fragments, fuel: FUEL };
    let result = match run.block(&program.body) {
        Ok(()) => run.value(&program.value),
        Err(stop) => Err(stop),
    };
    let result = match result {
        Err(Stop::Return(bits)) => Ok(bits),
        other => other,
    };
    (result, run.memory)
}

fn field_of(r: &Rec, field: Field) -> u64 {
    match field {
        Field::X => r.x as u64,
        Field::Y => u64::from(r.y),
        Field::Z => Float::bits(r.z),
        Field::Flag => u64::from(r.flag),
    }
}

fn set_field(r: &mut Rec, field: Field, v: u64) {
    match field {
        Field::X => r.x = v as i32,
        Field::Y => r.y = v as u8,
        Field::Z => r.z = f64::of(v),
        Field::Flag => r.flag = v != 0,
    }
}

impl Run<'_> {
    fn burn(&mut self) -> Result<(), Stop> {
        self.fuel = self.fuel.checked_sub(1).ok_or(Stop::Fuel)?;
        Ok(())
    }

    fn truth(&mut self, e: &E) -> Result<bool, Stop> {
        Ok(self.value(e)? != 0)
    }

    fn load(&self, mem: Mem, i: u64) -> Result<u64, Stop> {
        let i = i as usize;
        match mem {
            Mem::S => self.memory.s.get(i).map(|&v| v as u64),
            Mem::T => self.memory.t.get(i).map(|&v| u64::from(v)),
            Mem::W => self.memory.w.get(i).map(|&v| Float::bits(v)),
        }
        .ok_or(Stop::Index)
    }

    fn store(&mut self, mem: Mem, i: u64, v: u64) -> Result<(), Stop> {
        self.load(mem, i)?;
        let i = i as usize;
        match mem {
            Mem::S => self.memory.s[i] = v as i64,
            Mem::T => self.memory.t[i] = v as u8,
            Mem::W => self.memory.w[i] = f32::of(v),
        }
        Ok(())
    }

    fn len(&self, mem: Mem) -> u64 {
        match mem {
            Mem::S => self.memory.s.len() as u64,
            Mem::T => self.memory.t.len() as u64,
            Mem::W => self.memory.w.len() as u64,
        }
    }

    fn with<R>(&mut self, ty: Ty, bits: u64, run: impl FnOnce(&mut Self) -> R) -> R {
        self.vars.push((ty, bits));
        let result = run(self);
        self.vars.pop();
        result
    }

    /// Runs a fragment, whose own variables have the numbers next to the roots', wherever it is spliced.
    fn rooted<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.vars.split_off(self.roots);
        let result = run(self);
        self.vars.extend(outer);
        result
    }

    fn value(&mut self, e: &E) -> Result<u64, Stop> {
        self.burn()?;
        Ok(match &e.kind {
            Kind::Const(bits) => *bits,
            Kind::Var(v) => self.vars[*v].1,
            Kind::Bin(op, a, b) => {
                let a = self.value(a)?;
                let b = self.value(b)?;
                binary(*op, e.ty, a, b)?
            }
            Kind::Twice(op, a) => {
                let first = self.value(a)?;
                let second = self.value(a)?;
                binary(*op, e.ty, first, second)?
            }
            Kind::Un(un, a) => unary(*un, e.ty, self.value(a)?),
            Kind::Count(c, a) => count(*c, a.ty, self.value(a)?),
            Kind::Cast(a) => cast(a.ty, e.ty, self.value(a)?),
            Kind::Cmp(cmp, a, b) => {
                let x = self.value(a)?;
                let y = self.value(b)?;
                u64::from(compare(*cmp, a.ty, x, y))
            }
            Kind::Multiple(a, b, want) => {
                let x = self.value(a)?;
                let y = self.value(b)?;
                u64::from((binary(Op::Rem, a.ty, x, y)? == 0) == *want)
            }
            Kind::IsNan(a) => {
                let x = self.value(a)?;
                u64::from(compare(Cmp::Ne, a.ty, x, x))
            }
            Kind::ToBits(a) => {
                let x = self.value(a)?;
                if compare(Cmp::Ne, a.ty, x, x) { 0 } else { x }
            }
            Kind::FromBits(a) => self.value(a)?,
            Kind::And(a, b) => u64::from(self.truth(a)? && self.truth(b)?),
            Kind::Or(a, b) => u64::from(self.truth(a)? || self.truth(b)?),
            Kind::If(c, a, b) => {
                if self.truth(c)? {
                    self.value(a)?
                } else {
                    self.value(b)?
                }
            }
            Kind::Match(x, a, b, c, last) => {
                let bits = self.value(x)?;
                match bits {
                    0 => self.value(a)?,
                    1 | 7 => self.value(b)?,
                    2..=5 => self.value(c)?,
                    _ => self.with(x.ty, bits, |run| run.value(last))?,
                }
            }
            Kind::Block(block, value) => {
                self.block(block)?;
                self.value(value)?
            }
            Kind::Let(init, body) => {
                let bits = self.value(init)?;
                self.with(init.ty, bits, |run| run.value(body))?
            }
            Kind::LoopValue(limit, a, block, c, b) => {
                let mut n = 0;
                loop {
                    n += 1;
                    if n > *limit {
                        break self.value(a)?;
                    }
                    self.block(block)?;
                    if self.truth(c)? {
                        break self.value(b)?;
                    }
                }
            }
            Kind::Load(mem, i) => {
                let i = self.value(i)?;
                self.load(*mem, i)?
            }
            Kind::Len(mem) => self.len(*mem),
            Kind::Field(field) => field_of(&self.memory.record, *field),
            Kind::Element(i) => {
                let i = self.value(i)? as usize;
                *self.memory.record.a.get(i).ok_or(Stop::Index)? as u64
            }
            Kind::Call(f, args) => {
                let args = args.iter().map(|a| self.value(a)).collect::<Result<Vec<u64>, Stop>>()?;
                functions::call_native(*f, &args)
            }
            Kind::CallCompiled(f, _, args) => {
                let args = args.iter().map(|a| self.value(a)).collect::<Result<Vec<u64>, Stop>>()?;
                functions::call_compiled(*f, &args, &mut self.memory)?
            }
            Kind::Bare(x, a, b) => {
                let (x, a, b) = (self.value(x)?, self.value(a)?, self.value(b)?);
                let mix = if e.ty.is_float() { Op::Add } else { Op::Xor };
                let v = binary(mix, e.ty, binary(Op::Mul, e.ty, x, a)?, b)?;
                binary(Op::Add, e.ty, binary(Op::Sub, e.ty, v, a)?, b)?
            }
            Kind::IfConst(c, a, b) => self.value(if *c { a } else { b })?,
            Kind::MatchConst(n, a, b, c) => self.value(match n {
                0 => a,
                1 | 2 => b,
                _ => c,
            })?,
            Kind::Table(table, i) => {
                let i = self.value(i)? as usize;
                *table.get(i).ok_or(Stop::Index)?
            }
            Kind::Fragment(f) => match &self.fragments[*f] {
                Fragment::Value(e) => self.rooted(|run| run.value(e))?,
                Fragment::Block(_) => unreachable!("a value"),
            },
            Kind::Row(i, field) => {
                let i = self.value(i)? as usize;
                field_of(self.memory.q.get(i).ok_or(Stop::Index)?, *field)
            }
            Kind::ReturnIf(c, r, v) => {
                if self.truth(c)? {
                    return Err(Stop::Return(self.value(r)?));
                }
                self.value(v)?
            }
        })
    }

    fn block(&mut self, block: &Block) -> Result<(), Stop> {
        block.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<(), Stop> {
        self.burn()?;
        match stmt {
            Stmt::Assign(v, e) => self.vars[*v].1 = self.value(e)?,
            Stmt::AssignOp(op, v, e) => {
                let y = self.value(e)?;
                let (ty, x) = self.vars[*v];
                self.vars[*v].1 = binary(*op, ty, x, y)?;
            }
            Stmt::Store(mem, i, e) => {
                // As in Rust, the value comes first.
                let v = self.value(e)?;
                let i = self.value(i)?;
                self.store(*mem, i, v)?;
            }
            Stmt::StoreOp(op, mem, i, e) => {
                let y = self.value(e)?;
                let i = self.value(i)?;
                let x = self.load(*mem, i)?;
                let v = binary(*op, mem.ty(), x, y)?;
                self.store(*mem, i, v)?;
            }
            Stmt::SetField(field, e) => {
                let v = self.value(e)?;
                set_field(&mut self.memory.record, *field, v);
            }
            Stmt::FieldOp(op, field, e) => {
                let y = self.value(e)?;
                let v = binary(*op, field.ty(), field_of(&self.memory.record, *field), y)?;
                set_field(&mut self.memory.record, *field, v);
            }
            Stmt::SetRow(i, field, e) => {
                let v = self.value(e)?;
                let i = self.value(i)? as usize;
                set_field(self.memory.q.get_mut(i).ok_or(Stop::Index)?, *field, v);
            }
            Stmt::SetElement(i, e) => {
                let v = self.value(e)?;
                let i = self.value(i)? as usize;
                *self.memory.record.a.get_mut(i).ok_or(Stop::Index)? = v as i16;
            }
            Stmt::If(c, a, b) => {
                let taken = if self.truth(c)? { a } else { b };
                self.block(taken)?;
            }
            Stmt::While(limit, c, a, skip, b) => {
                let mut n = 0;
                while n < *limit && self.truth(c)? {
                    n += 1;
                    self.block(a)?;
                    if self.truth(skip)? {
                        continue;
                    }
                    self.block(b)?;
                }
            }
            Stmt::Loop(limit, a, c, b) => {
                let mut n = 0;
                loop {
                    n += 1;
                    if n > *limit {
                        break;
                    }
                    self.block(a)?;
                    if self.truth(c)? {
                        break;
                    }
                    self.block(b)?;
                }
            }
            Stmt::For(from, to, inclusive, block) => {
                let ty = from.ty;
                let from = self.value(from)?;
                let from = binary(Op::And, ty, from, 3)?;
                let to = self.value(to)?;
                let to = binary(Op::And, ty, to, 7)? + u64::from(*inclusive);
                for i in from..to {
                    self.with(ty, i, |run| run.block(block))?;
                }
            }
            Stmt::ForVar(v, block) => {
                let to = self.vars[*v].1;
                for i in 0..to {
                    self.burn()?;
                    self.with(Ty::Usize, i, |run| run.block(block))?;
                }
            }
            Stmt::ForLen(mem, block) => {
                for i in 0..self.len(*mem) {
                    self.with(Ty::Usize, i, |run| run.block(block))?;
                }
            }
            Stmt::Unroll(ty, values, block) => {
                for &bits in values {
                    self.with(*ty, bits, |run| run.block(block))?;
                }
            }
            Stmt::Labelled(limit, c, d, block) => {
                let mut n = 0;
                'outer: while n < *limit {
                    n += 1;
                    for i in 0..3 {
                        if self.truth(c)? {
                            break 'outer;
                        }
                        if self.truth(d)? {
                            continue 'outer;
                        }
                        self.with(Ty::Usize, i, |run| run.block(block))?;
                    }
                }
            }
            Stmt::Fragment(f) => match &self.fragments[*f] {
                Fragment::Block(block) => self.rooted(|run| run.block(block))?,
                Fragment::Value(_) => unreachable!("a block"),
            },
            Stmt::Return(e) => return Err(Stop::Return(self.value(e)?)),
            Stmt::Discard(e) => {
                self.value(e)?;
            }
            Stmt::Trap(e) => return Err(Stop::Code(self.value(e)? as u32)),
        }
        Ok(())
    }
}
