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
    Load(Mem, E),
    Len(Mem),
    Field(Field),
    /// `r.a[i]`
    Element(E),
    /// A call of the native function of this number in [`FUNCTIONS`].
    Call(usize, Vec<E>),
    /// A call of the compiled function of this number in [`COMPILED`]; whether that of another tier.
    CallCompiled(usize, bool, Vec<E>),
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
    /// `q[i].field`
    Row(E, Field),
    /// An argument for `if … { return v }` in the middle of an expression.
    ReturnIf(E, E, E),
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Assign(usize, E),
    AssignOp(Op, usize, E),
    Store(Mem, E, E),
    StoreOp(Op, Mem, E, E),
    SetField(Field, E),
    FieldOp(Op, Field, E),
    SetElement(E, E),
    /// `q[i].field = e`
    SetRow(E, Field, E),
    If(E, Block, Block),
    /// `while n < limit && c { n += 1; a; if d { continue } b }`
    While(u32, E, Block, E, Block),
    /// `loop { n += 1; if n > limit { break } a; if c { break } b }`
    Loop(u32, Block, E, Block),
    /// `for v in from..to & 7 { body }`, the variable being the next of the environment.
    For(E, E, bool, Block),
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

/// Parameters of the functions that programs call, and their results.
pub const FUNCTIONS: [(&[Ty], Ty); 5] = [
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
pub const COMPILED: [(&[Ty], Ty); 4] = [
    (&[Ty::I64, Ty::I64], Ty::I64),
    (&[Ty::U32, Ty::F64], Ty::F64),
    (&[Ty::Usize, Ty::I64], Ty::I64),
    (&[Ty::I8, Ty::U16, Ty::Bool, Ty::F32], Ty::U8),
];

/// Code that is made once and spliced in several places.
#[derive(Clone, Debug)]
pub enum Fragment {
    Value(E),
    Block(Block),
}

/// A program: variables are the parameters, then the locals, then what encloses a place. A fragment sees parameters, locals and
/// the fragments before it.
#[derive(Clone, Debug)]
pub struct Program {
    pub params: Params,
    pub locals: Vec<Ty>,
    pub fragments: Vec<Fragment>,
    pub body: Block,
    pub value: E,
}
