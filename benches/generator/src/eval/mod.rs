//! What a program means, by the operators of Rust.

mod operators;

use self::operators::*;
pub use self::operators::{binary, canonical, size};
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
    /// A closure panicked, with this number.
    Panic(u32),
    Return(u64),
    /// A jump to the label of this number.
    Goto(usize),
    /// It runs too long to be of use.
    Fuel,
}

/// How many nodes a run may evaluate.
const FUEL: u32 = 20_000;

/// A run of a program.
pub struct Run<'a> {
    pub memory: Memory,
    vars: Vec<(Ty, u64)>,
    /// Parameters and locals: what a fragment sees of the variables.
    roots: usize,
    program: &'a Program,
    /// How many labels are in scope.
    labels: usize,
    /// How many labels this call has passed.
    passed: u32,
    /// How deep calls of the program's own functions may still be.
    depth: u32,
    fuel: u32,
}

/// The result, and the memory afterwards.
pub fn run(program: &Program, args: &[u64], memory: Memory) -> (Result<u64, Stop>, Memory) {
    let params = program.params.scalars().iter().copied().zip(args.iter().copied());
    let vars: Vec<(Ty, u64)> = params.chain(program.locals.iter().map(|&ty| (ty, 0))).collect();
    let roots = vars.len();
    let mut run = Run { memory, vars, roots, program, labels: 0, passed: 0, depth: DEPTH, fuel: FUEL };
    let result = run.function(&program.body, &program.value);
    (result, run.memory)
}

/// A place whose indexes are in range.
#[derive(Clone, Copy)]
enum At {
    Var(usize),
    Item(Mem, usize),
    Field(Field),
    Element(usize),
    Row(usize, Field),
    Raw { at: usize, ty: Ty, swapped: bool },
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

    /// Where a place is: what of its indexes is evaluated, and checked.
    fn place(&mut self, place: &Place) -> Result<At, Stop> {
        let checked = |i: u64, len: u64| if i < len { Ok(i as usize) } else { Err(Stop::Index) };
        Ok(match place {
            Place::Var(v) => At::Var(*v),
            Place::Item(mem, i) => {
                let i = self.value(i)?;
                At::Item(*mem, checked(i, self.len(*mem))?)
            }
            Place::Part(mem, from, i) => {
                let from = self.value(from)?;
                let len = self.len(*mem).checked_sub(from);
                // Where the part begins is looked at before the index is evaluated.
                let len = len.ok_or(Stop::Index)?;
                let i = self.value(i)?;
                At::Item(*mem, checked(i, len)? + from as usize)
            }
            Place::Field(field) => At::Field(*field),
            Place::Element(i) => {
                let i = self.value(i)?;
                At::Element(checked(i, self.memory.record.a.len() as u64)?)
            }
            Place::Row(i, field) => {
                let i = self.value(i)?;
                At::Row(checked(i, self.memory.q.len() as u64)?, *field)
            }
            Place::Raw(raw, ty, i) => {
                let i = self.value(i)? as usize;
                let at = match raw {
                    Raw::Add | Raw::Offset | Raw::Volatile => i % (RAW / size(*ty)) * size(*ty),
                    Raw::Unaligned | Raw::Swapped => i % (RAW / 2),
                };
                At::Raw { at, ty: *ty, swapped: *raw == Raw::Swapped }
            }
        })
    }

    fn get(&self, at: At) -> u64 {
        let memory = &self.memory;
        match at {
            At::Var(v) => self.vars[v].1,
            At::Item(Mem::S, i) => memory.s[i] as u64,
            At::Item(Mem::T, i) => memory.t[i].into(),
            At::Item(Mem::W, i) => Float::bits(memory.w[i]),
            At::Field(field) => field_of(&memory.record, field),
            At::Element(i) => memory.record.a[i] as u64,
            At::Row(i, field) => field_of(&memory.q[i], field),
            At::Raw { at, ty, swapped } => {
                let mut bytes = [0; 8];
                bytes[..size(ty)].copy_from_slice(&memory.raw[at..at + size(ty)]);
                if swapped {
                    bytes[..size(ty)].reverse();
                }
                canonical(ty, u64::from_le_bytes(bytes))
            }
        }
    }

    fn set(&mut self, at: At, v: u64) {
        let memory = &mut self.memory;
        match at {
            At::Var(to) => self.vars[to].1 = v,
            At::Item(Mem::S, i) => memory.s[i] = v as i64,
            At::Item(Mem::T, i) => memory.t[i] = v as u8,
            At::Item(Mem::W, i) => memory.w[i] = f32::of(v),
            At::Field(field) => set_field(&mut memory.record, field, v),
            At::Element(i) => memory.record.a[i] = v as i16,
            At::Row(i, field) => set_field(&mut memory.q[i], field, v),
            At::Raw { at, ty, swapped } => {
                let v = if ty.is_float() { without_nan(ty, v) } else { v };
                let bytes = &mut memory.raw[at..at + size(ty)];
                bytes.copy_from_slice(&v.to_le_bytes()[..size(ty)]);
                if swapped {
                    bytes.reverse();
                }
            }
        }
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
                without_nan(a.ty, x)
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
            Kind::Read(place) => {
                let at = self.place(place)?;
                self.get(at)
            }
            Kind::Len(mem) => self.len(*mem),
            Kind::Call(callee, args) | Kind::DynCall(callee, args) => {
                let args = self.values(args)?;
                match *callee {
                    Callee::Native(f) => functions::call_native(f, &args),
                    Callee::Compiled(f, _) => functions::call_compiled(f, &args, &mut self.memory)?,
                    Callee::Host(f) => functions::call_host(f, &args, &mut self.memory)?,
                }
            }
            Kind::CallOwn(f, args) => self.call_own(*f, args)?,
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
            Kind::Fragment(f) => match &self.program.fragments[*f] {
                Fragment::Value(e) => self.rooted(|run| run.value(e))?,
                Fragment::Block(_) => unreachable!("a value"),
            },
            Kind::ReturnIf(c, r, v) => {
                if self.truth(c)? {
                    return Err(Stop::Return(self.value(r)?));
                }
                self.value(v)?
            }
            Kind::GotoIf(c, label, v) => {
                if self.truth(c)? {
                    return Err(Stop::Goto(*label));
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
            Stmt::Assign(place @ Place::Raw(Raw::Volatile | Raw::Unaligned | Raw::Swapped, ..), e) => {
                // The receiver of a method comes before its argument.
                let at = self.place(place)?;
                let v = self.value(e)?;
                self.set(at, v);
            }
            Stmt::Assign(place, e) => {
                // As in Rust, the value comes first.
                let v = self.value(e)?;
                let at = self.place(place)?;
                self.set(at, v);
            }
            Stmt::AssignOp(op, place, e) => {
                let y = self.value(e)?;
                let at = self.place(place)?;
                let v = binary(*op, place.ty(|v| self.vars[v].0), self.get(at), y)?;
                self.set(at, v);
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
            Stmt::For(from, to, inclusive, _, block) => {
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
            Stmt::Fragment(f) => match &self.program.fragments[*f] {
                Fragment::Block(block) => self.rooted(|run| run.block(block))?,
                Fragment::Value(_) => unreachable!("a block"),
            },
            Stmt::Return(e) => return Err(Stop::Return(self.value(e)?)),
            Stmt::Discard(e) => {
                self.value(e)?;
            }
            Stmt::Trap(e) => return Err(Stop::Code(self.value(e)? as u32)),
            Stmt::Log(e) => {
                let x = self.value(e)?;
                self.memory.journal = functions::noted(self.memory.journal, x);
            }
            Stmt::Region(region) => self.region(region)?,
            Stmt::Goto(label) => return Err(Stop::Goto(*label)),
            Stmt::JumpTable(e, labels) => {
                let i = self.value(e)? as usize;
                return Err(labels.get(i).map_or(Stop::Index, |&label| Stop::Goto(label)));
            }
        }
        Ok(())
    }

    /// Goes through the segments, and back to where a jump goes.
    fn region(&mut self, region: &Region) -> Result<(), Stop> {
        let (first, end) = (self.labels, self.labels + region.segments.len());
        self.labels = end + 1;
        let mut rounds = vec![0; region.segments.len()];
        // The segment that comes next, and whether at its label.
        let (mut k, mut inside) = (0, false);
        let result = loop {
            let Some(segment) = region.segments.get(k) else {
                break Ok(());
            };
            (k, inside) = match self.segment(segment, inside, &mut rounds[k], (region.limit, end)) {
                Ok(()) => (k + 1, false),
                Err(Stop::Goto(label)) if label >= first => (label - first, true),
                Err(stop) => break Err(stop),
            };
        };
        self.labels = first;
        result
    }

    /// A segment, from its beginning or from its label.
    fn segment(&mut self, of: &Segment, mut inside: bool, n: &mut u32, limit: (u32, usize)) -> Result<(), Stop> {
        match of {
            Segment::Block(body) => {
                self.pass(limit)?;
                self.block(body)
            }
            Segment::Loop(rounds, _, a, b) => loop {
                if !inside {
                    if *n >= *rounds {
                        break Ok(());
                    }
                    *n += 1;
                    self.block(a)?;
                }
                inside = false;
                self.pass(limit)?;
                self.block(b)?;
            },
            Segment::Arm(arm) => {
                self.vars[arm.var].1 = if !inside && self.passed != arm.passed && self.truth(&arm.c)? {
                    self.block(&arm.a)?;
                    self.value(&arm.x)?
                } else {
                    if !inside {
                        self.block(&arm.b)?;
                    }
                    self.pass(limit)?;
                    self.block(&arm.d)?;
                    self.value(&arm.y)?
                };
                Ok(())
            }
        }
    }

    /// Passes a label.
    fn pass(&mut self, (limit, end): (u32, usize)) -> Result<(), Stop> {
        self.burn()?;
        self.passed += 1;
        if self.passed > limit { Err(Stop::Goto(end)) } else { Ok(()) }
    }

    fn values(&mut self, all: &[E]) -> Result<Vec<u64>, Stop> {
        all.iter().map(|e| self.value(e)).collect()
    }

    /// The program or one of its functions, with variables as they are at its beginning.
    fn function(&mut self, body: &Block, value: &E) -> Result<u64, Stop> {
        match self.block(body).and_then(|()| self.value(value)) {
            Err(Stop::Return(bits)) => Ok(bits),
            other => other,
        }
    }

    fn call_own(&mut self, f: usize, args: &[E]) -> Result<u64, Stop> {
        if self.depth == 0 {
            return Ok(0);
        }
        let args = self.values(args)?;
        let locals = self.program.locals.iter().map(|&ty| (ty, 0));
        let vars = OWN[f].0.iter().copied().zip(args).chain(locals).collect();
        // Fragments are not for functions: the roots do not matter.
        let outer = (std::mem::replace(&mut self.vars, vars), self.labels, self.passed);
        (self.labels, self.passed, self.depth) = (0, 0, self.depth - 1);
        let Function { body, value } = &self.program.functions[f];
        let result = self.function(body, value);
        (self.vars, self.labels, self.passed) = outer;
        self.depth += 1;
        result
    }
}
