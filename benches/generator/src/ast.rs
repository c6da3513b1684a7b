//! Programs as trees, each node with its type.

use std::rc::Rc;

/// The types of expressions. The discriminant orders `ALL`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    I64,
    I32,
    U8,
    F64,
    F32,
    U16,
    I8,
    Bool,
    U32,
    U64,
    I16,
    Usize,
    Isize,
}

impl Ty {
    pub const ALL: [Ty; 13] = [
        Ty::I64,
        Ty::I32,
        Ty::U8,
        Ty::F64,
        Ty::F32,
        Ty::U16,
        Ty::I8,
        Ty::Bool,
        Ty::U32,
        Ty::U64,
        Ty::I16,
        Ty::Usize,
        Ty::Isize,
    ];

    pub fn is_float(self) -> bool {
        matches!(self, Ty::F32 | Ty::F64)
    }

    pub fn is_int(self) -> bool {
        !self.is_float() && self != Ty::Bool
    }

    pub fn is_signed(self) -> bool {
        matches!(self, Ty::I8 | Ty::I16 | Ty::I32 | Ty::I64 | Ty::Isize)
    }
}

/// Operations on two operands of the type of the result; the count of shifts and rotations is a `u32`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
    Div,
    Rem,
    Min,
    Max,
    RemEuclid,
    DivEuclid,
    Shl,
    Shr,
    RotateLeft,
    RotateRight,
    SaturatingAdd,
    SaturatingSub,
    /// The high half of the product.
    MulHi,
}

impl Op {
    /// Whether the second operand is a count, a `u32`.
    pub fn takes_count(self) -> bool {
        matches!(self, Op::Shl | Op::Shr | Op::RotateLeft | Op::RotateRight)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Un {
    Neg,
    Not,
    Abs,
    SwapBytes,
    Signum,
    Sqrt,
    Floor,
    Ceil,
    Trunc,
    Round,
    RoundTiesEven,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    Ones,
    Zeros,
    Leading,
    Trailing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// The slices of a program: `i64`, `u8`, `f32`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mem {
    S,
    T,
    W,
}

impl Mem {
    pub const ALL: [Mem; 3] = [Mem::S, Mem::T, Mem::W];

    pub fn ty(self) -> Ty {
        match self {
            Mem::S => Ty::I64,
            Mem::T => Ty::U8,
            Mem::W => Ty::F32,
        }
    }
}

/// The fields of the program's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    X,
    Y,
    Z,
    Flag,
}

impl Field {
    pub const ALL: [Field; 4] = [Field::X, Field::Y, Field::Z, Field::Flag];

    pub fn ty(self) -> Ty {
        match self {
            Field::X => Ty::I32,
            Field::Y => Ty::U8,
            Field::Z => Ty::F64,
            Field::Flag => Ty::Bool,
        }
    }
}

/// How memory behind the raw pointer is accessed, which points to [`RAW`] bytes of the program's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Raw {
    /// `*p.add(i)`
    Add,
    /// `*p.offset(i)` from the middle.
    Offset,
    /// `read_volatile`, `write_volatile`.
    Volatile,
    /// `read_unaligned`, `write_unaligned`, at any byte of the first half.
    Unaligned,
    /// The same, in the other order of bytes; of integers.
    Swapped,
}

/// How many bytes lie behind the raw pointer.
pub const RAW: usize = 64;

/// What is read and written.
#[derive(Clone, Debug)]
pub enum Place {
    /// Only written: an expression that reads one is a [`Kind::Var`].
    Var(usize),
    /// `s[i]`
    Item(Mem, E),
    /// `s[from..][i]`
    Part(Mem, E, E),
    /// `r.field`
    Field(Field),
    /// `r.a[i]`
    Element(E),
    /// `q[i].field`
    Row(E, Field),
    /// Behind the raw pointer, whatever the index. The bits of a NaN that is written are not its own.
    Raw(Raw, Ty, E),
}

impl Place {
    /// The type, where the types of variables are known.
    pub fn ty(&self, of_var: impl FnOnce(usize) -> Ty) -> Ty {
        match self {
            Place::Var(v) => of_var(*v),
            Place::Item(mem, _) | Place::Part(mem, ..) => mem.ty(),
            Place::Field(field) | Place::Row(_, field) => field.ty(),
            Place::Element(_) => Ty::I16,
            Place::Raw(_, ty, _) => *ty,
        }
    }
}

/// What is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Callee {
    /// Of [`NATIVE`].
    Native(usize),
    /// Of [`COMPILED`]; whether that of another tier.
    Compiled(usize, bool),
    /// Of [`HOST`].
    Host(usize),
}

impl Callee {
    pub fn signature(self) -> (&'static [Ty], Ty) {
        match self {
            Callee::Native(f) => NATIVE[f],
            Callee::Compiled(f, _) => COMPILED[f],
            Callee::Host(f) => HOST[f],
        }
    }
}

pub type E = Rc<Expr>;
pub type Block = Rc<Vec<Stmt>>;

#[derive(Clone, Debug)]
pub struct Expr {
    pub ty: Ty,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub enum Kind {
    /// Canonical bits.
    Const(u64),
    /// Index in the environment.
    Var(usize),
    Bin(Op, E, E),
    /// One fragment spliced twice.
    Twice(Op, E),
    Un(Un, E),
    Count(Count, E),
    Cast(E),
    Cmp(Cmp, E, E),
    /// `%` by the second, compared with zero.
    Multiple(E, E, bool),
    IsNan(E),
    /// The bits of a float; those of a NaN count as zero.
    ToBits(E),
    FromBits(E),
    And(E, E),
    Or(E, E),
    If(E, E, E),
    /// `match x { 0 => a, 1 | 7 => b, 2..=5 => c, v => d }`, in d the variable bound.
    Match(E, E, E, E, E),
    Block(Block, E),
    /// `{ let mut v = init; body }`, the variable being the next of the environment.
    Let(E, E),
    /// `loop { n += 1; if n > limit { break a } body; if c { break b } }`
    LoopValue(u32, E, Block, E, E),
    Read(Place),
    Len(Mem),
    /// `callee(…)`
    Call(Callee, Vec<E>),
    /// The same by a `DynCall`.
    DynCall(Callee, Vec<E>),
    /// A call of the program's function of this number, or 0 where calls are too deep.
    CallOwn(usize, Vec<E>),
    /// `{ let mut v = x; let a = …; let b = …; v = v * a ^ b; v = v - a; let c = v; c + b }` as one quotation, by bare names. Of
    /// floats, `+` for `^`.
    Bare(E, E, E),
    /// `if $(c) { a } else { b }`
    IfConst(bool, E, E),
    /// `match $(n) { 0 => a, 1 | 2 => b, _ => c }`
    MatchConst(u64, E, E, E),
    /// `$table[i]` of a constant slice with these bits.
    Table(Vec<u64>, E),
    /// The fragment of this number.
    Fragment(usize),
    /// An argument for `if … { return v }` in the middle of an expression.
    ReturnIf(E, E, E),
    /// `{ if c { goto } v }`, in the middle of an expression.
    GotoIf(E, usize, E),
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Assign(Place, E),
    AssignOp(Op, Place, E),
    If(E, Block, Block),
    /// `while n < limit && c { n += 1; a; if d { continue } b }`
    While(u32, E, Block, E, Block),
    /// `loop { n += 1; if n > limit { break } a; if c { break } b }`
    Loop(u32, Block, E, Block),
    /// `for v in from..to & 7 { body }`, the variable being the next of the environment.
    /// Unrolled by the factor, unless that is 0.
    For(E, E, bool, u32, Block),
    /// `for v in 0..var { body }`, of a variable of type `usize` that the body may assign.
    ForVar(usize, Block),
    /// `for v in 0..s.len() { body }`
    ForLen(Mem, Block),
    /// `for x in $([…]) { body }`, unrolled, the constant being the next variable of the environment.
    Unroll(Ty, Vec<u64>, Block),
    /// `'a: while n < limit { n += 1; for v in 0..3 { if c { break 'a } if d { continue 'a } body } }`, v being the next variable.
    Labelled(u32, E, E, Block),
    /// The fragment of this number.
    Fragment(usize),
    Return(E),
    Discard(E),
    Trap(E),
    /// A call of a closure that returns nothing.
    Log(E),
    Region(Rc<Region>),
    /// `label.goto()`, of the label of this number in the environment.
    Goto(usize),
    /// `Label::table(index, labels)`
    JumpTable(E, Vec<usize>),
}

/// Segments one after the other, each of which places a label that anything in the region may jump to, as it may to the label at
/// the end.
///
/// Passing a label counts; where that comes to more than `limit`, it goes on at the end of the region, so that every program ends.
/// The labels are the next ones of the environment, in order, the last one that of the end.
#[derive(Clone, Debug)]
pub struct Region {
    pub limit: u32,
    pub segments: Vec<Segment>,
}

#[derive(Clone, Debug)]
pub enum Segment {
    /// `here; body`
    Block(Block),
    /// `while n < limit { n += 1; a; here; b }`, or `loop { n += 1; if n > limit { break } a; here; b }`; n is zero at the beginning
    /// of the region.
    Loop(u32, bool, Block, Block),
    Arm(Rc<Arm>),
}

/// `var = if labels_passed != passed && c { a; x } else { b; here; d; y }`
#[derive(Clone, Debug)]
pub struct Arm {
    pub var: usize,
    pub passed: u32,
    pub c: E,
    pub a: Block,
    pub x: E,
    pub b: Block,
    pub d: Block,
    pub y: E,
}

/// A parameter list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Params {
    /// Twelve parameters, some on the stack.
    Many,
    Few,
}

impl Params {
    pub fn scalars(self) -> &'static [Ty] {
        match self {
            Params::Many => &[Ty::I64, Ty::I32, Ty::U8, Ty::F64, Ty::F32, Ty::U16, Ty::Bool],
            Params::Few => &[Ty::I64, Ty::U32, Ty::F64, Ty::Usize],
        }
    }
}

/// Parameters of the native functions that programs call, and their results.
pub const NATIVE: [(&[Ty], Ty); 5] = [
    (&[Ty::U64, Ty::U64], Ty::U64),
    (&[Ty::U8, Ty::I8, Ty::U16, Ty::I16, Ty::Bool], Ty::I8),
    (&[Ty::F32, Ty::F64], Ty::F32),
    (&[Ty::I64, Ty::F64, Ty::I32, Ty::F32, Ty::U8, Ty::I64, Ty::I64, Ty::I64, Ty::F64, Ty::I16], Ty::F64),
    (
        &[Ty::I32, Ty::U8, Ty::I64, Ty::U16, Ty::I8, Ty::U32, Ty::Usize, Ty::I16, Ty::U64, Ty::Bool, Ty::F32, Ty::I32],
        Ty::I32,
    ),
];

/// Parameters of the compiled functions that programs call, and their results.
pub const COMPILED: [(&[Ty], Ty); 6] = [
    (&[Ty::I64, Ty::I64], Ty::I64),
    (&[Ty::U32, Ty::F64], Ty::F64),
    (&[Ty::Usize, Ty::I64], Ty::I64),
    (&[Ty::I8, Ty::U16, Ty::Bool, Ty::F32], Ty::U8),
    (&[Ty::U32, Ty::I16], Ty::Bool),
    (&[Ty::U16, Ty::F32, Ty::I64, Ty::Isize], Ty::Isize),
];

/// Parameters of the closures that programs call, and their results.
pub const HOST: [(&[Ty], Ty); 6] = [
    (&[Ty::I64], Ty::I64),
    (&[Ty::U8, Ty::F64, Ty::I16, Ty::F32], Ty::F64),
    (&[Ty::U32], Ty::U32),
    (&[Ty::Usize], Ty::I64),
    (
        &[
            Ty::I32,
            Ty::U8,
            Ty::F32,
            Ty::U64,
            Ty::Bool,
            Ty::I8,
            Ty::F64,
            Ty::Usize,
            Ty::U16,
            Ty::I64,
            Ty::Isize,
            Ty::I32,
        ],
        Ty::I16,
    ),
    (&[Ty::I64, Ty::I64], Ty::I64),
];

/// Parameters of the program's own functions, and their results. They call each other, to a depth.
pub const OWN: [(&[Ty], Ty); 2] = [(&[Ty::I64, Ty::F64], Ty::I64), (&[Ty::U32, Ty::Bool], Ty::F64)];

/// How deep the calls of a program's own functions are.
pub const DEPTH: u32 = 3;

/// Code that is made once and spliced in several places.
#[derive(Clone, Debug)]
pub enum Fragment {
    Value(E),
    Block(Block),
}

/// A function of the program's own: its signature is that of its number in [`OWN`]. Variables are the parameters, then locals of
/// the types of the program's.
#[derive(Clone, Debug)]
pub struct Function {
    pub body: Block,
    pub value: E,
}

/// A program: variables are the parameters, then the locals, then what encloses a place. A fragment sees parameters, locals and
/// the fragments before it.
#[derive(Clone, Debug)]
pub struct Program {
    pub params: Params,
    pub locals: Vec<Ty>,
    pub functions: Vec<Function>,
    pub fragments: Vec<Fragment>,
    pub body: Block,
    pub value: E,
}
