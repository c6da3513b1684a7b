//! The language of quotations as a tree.
//!
//! The parser leaves names unresolved; [`crate::analyze::resolve`] fills in what a name, a capture or a jump refers to.
//! Parentheses leave no trace. Every node keeps the span of its first token, at which rustc reports type errors.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::{ExprPath, Token, Type};

/// A name bound by a quotation; an index into [`crate::analyze::Analysis::bindings`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct BindingId(pub usize);

/// A mention of a dynamic name; what last-use analysis decides about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct MentionId(pub usize);

/// A loop; an index into [`crate::analyze::Analysis::loops`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct LoopId(pub usize);

/// What stands between the parentheses of `tick!( )`.
pub(crate) struct Quotation {
    /// `move`: deferred Rust code captures by value.
    pub by_move: Option<Token![move]>,
    pub form: Form,
}

pub(crate) enum Form {
    /// `tick!(expr)`, of type `Code<T>`.
    Fragment(Expr),
    /// `tick!(|x: A| …)` or `tick!(fn name(x: A) …)`, of type `Staged<fn(A) -> R>`.
    Function(Box<Function>),
}

pub(crate) struct Function {
    /// The name by which the function calls itself.
    pub name: Option<Ident>,
    pub params: Vec<Param>,
    pub returns: Returns,
    pub body: Expr,
}

pub(crate) enum Returns {
    /// `-> R`, or the `()` that a `fn` without an arrow has.
    Type(Box<Type>),
    /// A closure without an arrow: rustc infers it.
    Inferred,
}

pub(crate) struct Param {
    pub name: Binder,
    pub ty: Type,
}

/// What a `let`, a parameter, a `for` or the last arm of a `match` binds.
pub(crate) enum Binder {
    Name { ident: Ident, mutable: bool, id: Option<BindingId> },
    Ignored,
}

pub(crate) struct Expr {
    /// The first token.
    pub span: Span,
    pub kind: ExprKind,
}

pub(crate) enum ExprKind {
    Lit(Lit),
    /// A path that is no single name: a constant of the Rust program.
    Const(ExprPath),
    Name(Name),
    /// `@…`
    Splice(Capture),
    /// `$…`
    Lift(Capture),
    Unary(UnaryOp, Span, Box<Expr>),
    Binary(Binary),
    /// `&&`, `||`
    Logic(Logic),
    Cast(Box<Expr>, Box<Type>),
    Assign(Assign),
    Field(Box<Expr>, Ident),
    Index(Box<Expr>, Box<Expr>),
    /// `&s[a..b]`
    Slice(Slice),
    /// `*p` of a raw pointer
    Deref(Box<Expr>, Unsafety),
    /// `&place`, `&mut place`
    Ref(bool, Box<Expr>),
    Method(Method),
    Call(Call),
    Block(Block),
    Unsafe(UnsafeBlock),
    If(If),
    Match(Match),
    StaticIf(StaticIf),
    StaticMatch(StaticMatch),
    While(While),
    Loop(Loop),
    For(For),
    Unrolled(Unrolled),
    Break(Jump, Option<Box<Expr>>),
    Continue(Jump),
    Return(Option<Box<Expr>>),
    /// `a..b`, which stands in the head of a `for` only.
    Range(Range),
}

/// A part of a slice, or of an array that is a place.
pub(crate) struct Slice {
    pub base: Box<Expr>,
    /// The first index, 0 if there is none; the last one, the length if there is none, and whether it is part of it.
    pub from: Option<Box<Expr>>,
    pub to: Option<Box<Expr>>,
    pub inclusive: bool,
    pub by: SliceBy,
}

/// How a part of a slice is named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SliceBy {
    /// `s[a..b]`, of which an element, a part or the length is meant.
    Place,
    /// `&s[a..b]`
    Shared,
    /// `&mut s[a..b]`
    Exclusive,
}

/// Whether a node stands within the user's `unsafe { }`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unsafety {
    Safe,
    Unsafe,
}

/// A literal, with its minus sign if it had one.
pub(crate) struct Lit {
    pub minus: Option<Span>,
    pub token: TokenTree,
    pub kind: LitKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LitKind {
    Int { zero: bool },
    Float,
    Bool,
}

pub(crate) struct Name {
    pub ident: Ident,
    pub mention: MentionId,
    pub to: Referent,
}

/// What a bare name refers to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Referent {
    Unresolved,
    /// A variable of the dynamic code.
    Dynamic(BindingId),
    /// A Rust value: bound by an unrolled loop or by `match $`.
    Rust(BindingId),
    /// Not bound here: a constant, or rustc says that it is none. `true` and `false` too.
    Const,
}

/// `@…` or `$…`: Rust code that is run by the program and not by the dynamic code.
pub(crate) struct Capture {
    pub source: Source,
    pub slot: Slot,
    /// The user's `unsafe` around it, which then also holds where it is evaluated.
    pub in_unsafe: Option<Token![unsafe]>,
}

#[derive(Clone)]
pub(crate) enum Source {
    Name(Ident),
    /// The tokens between the parentheses, and the span of the parentheses.
    Tokens(TokenStream, Span),
}

impl Source {
    /// The first token of the Rust code.
    pub(crate) fn span(&self) -> Span {
        match self {
            Source::Name(ident) => ident.span(),
            Source::Tokens(tokens, outer) => tokens.clone().into_iter().next().map_or(*outer, |token| token.span()),
        }
    }
}

/// When a capture is evaluated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    Unresolved,
    /// Once, when `tick!` is: the capture of this number.
    Hoisted(usize),
    /// Each time the fragment is instantiated, as it mentions a name bound by the quotation.
    Deferred,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UnaryOp {
    Neg,
    Not,
}

pub(crate) struct Binary {
    pub op: BinaryOp,
    pub op_span: Span,
    pub left: Box<Expr>,
    pub right: Box<Expr>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    BitAnd,
    BitOr,
    BitXor,
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl BinaryOp {
    /// The emitter's method.
    pub(crate) fn method(self) -> &'static str {
        match self {
            BinaryOp::Add => "add",
            BinaryOp::Sub => "sub",
            BinaryOp::Mul => "mul",
            BinaryOp::Div => "div",
            BinaryOp::Rem => "rem",
            BinaryOp::BitAnd => "bitand",
            BinaryOp::BitOr => "bitor",
            BinaryOp::BitXor => "bitxor",
            BinaryOp::Shl => "shl",
            BinaryOp::Shr => "shr",
            BinaryOp::Eq => "eq",
            BinaryOp::Ne => "ne",
            BinaryOp::Lt => "lt",
            BinaryOp::Le => "le",
            BinaryOp::Gt => "gt",
            BinaryOp::Ge => "ge",
        }
    }

    pub(crate) fn is_comparison(self) -> bool {
        matches!(self, BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge)
    }

    /// Whether operands may be `bool`.
    pub(crate) fn takes_bool(self) -> bool {
        self.is_comparison() || matches!(self, BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor)
    }
}

pub(crate) struct Logic {
    pub is_and: bool,
    pub op_span: Span,
    pub left: Box<Expr>,
    pub right: Box<Expr>,
}

pub(crate) struct Assign {
    pub target: Box<Expr>,
    /// The operator of a compound assignment.
    pub op: Option<BinaryOp>,
    pub op_span: Span,
    pub value: Box<Expr>,
}

pub(crate) struct Method {
    pub receiver: Box<Expr>,
    pub name: Ident,
    pub args: Vec<Expr>,
    pub unsafety: Unsafety,
}

pub(crate) struct Call {
    pub callee: Callee,
    /// The argument list's parenthesis.
    pub paren: Span,
    pub args: Vec<Expr>,
    pub unsafety: Unsafety,
}

pub(crate) enum Callee {
    /// An `extern "C"` function of the Rust program, unless resolved to one of the others.
    Path(ExprPath),
    /// `$f(…)`
    Lifted(Capture),
    /// A Rust value bound in the quotation, as if written `$f(…)`.
    Rust(Ident),
    /// The quoted `fn` itself.
    Recursive,
    /// `trap(code)`
    Trap,
    /// `f64::from_bits(x)`, `u32::from_be(x)`, `i64::min(x, y)`: the type of numbers, and the method.
    Associated(Ident, Ident),
}

#[derive(Default)]
pub(crate) struct Block {
    pub stmts: Vec<Stmt>,
    pub tail: Option<Box<Expr>>,
    pub span: Option<Span>,
}

impl Block {
    /// Whether the block itself binds variables, so that it needs a scope.
    pub(crate) fn has_lets(&self) -> bool {
        self.stmts.iter().any(|stmt| matches!(stmt, Stmt::Let(local) if matches!(local.name, Binder::Name { .. })))
    }
}

pub(crate) enum Stmt {
    Let(Box<Let>),
    /// An expression; `true` where a `;` follows.
    Expr(Expr, bool),
}

pub(crate) struct Let {
    pub name: Binder,
    pub ty: Option<Type>,
    pub init: Expr,
}

pub(crate) struct UnsafeBlock {
    pub token: Token![unsafe],
    pub block: Block,
    /// What rustc's check for needless `unsafe` can know, see [`UnsafeUse`].
    pub used: UnsafeUse,
}

/// What stands directly in an `unsafe { }`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct UnsafeUse {
    /// An operation that is certainly unsafe.
    pub surely: bool,
    /// Something of which only the types tell: a call, captured Rust code.
    pub perhaps: bool,
}

pub(crate) struct If {
    pub cond: Box<Expr>,
    pub then: Block,
    /// A block or another `if`.
    pub otherwise: Option<Box<Expr>>,
}

pub(crate) struct Match {
    pub scrutinee: Box<Expr>,
    pub arms: Vec<Arm>,
}

pub(crate) struct Arm {
    pub span: Span,
    pub pattern: ArmPattern,
    pub body: Expr,
}

pub(crate) enum ArmPattern {
    Values(Vec<ValuePattern>),
    /// `name`, as the last arm
    Bind(Binder),
    /// `_`
    Default,
}

pub(crate) enum ValuePattern {
    One(PatternConst),
    Range(PatternConst, PatternConst, bool),
    From(PatternConst),
    /// `..=hi`, `..hi`
    To(PatternConst, bool),
}

pub(crate) enum PatternConst {
    Lit(Lit),
    Path(ExprPath),
}

/// `if $(c) { … } else { … }`: the program picks the arm.
pub(crate) struct StaticIf {
    pub cond: Capture,
    pub then: Block,
    pub otherwise: Option<Box<Expr>>,
}

/// `match $(v) { … }`: the program picks the arm.
pub(crate) struct StaticMatch {
    pub value: Capture,
    pub arms: Vec<StaticArm>,
}

pub(crate) struct StaticArm {
    pub pattern: TokenStream,
    /// The names that the pattern binds.
    pub names: Vec<Ident>,
    pub guard: Option<TokenStream>,
    pub body: Expr,
}

pub(crate) struct While {
    pub label: Option<Ident>,
    pub id: LoopId,
    pub cond: Box<Expr>,
    pub body: Block,
}

pub(crate) struct Loop {
    pub label: Option<Ident>,
    pub id: LoopId,
    pub body: Block,
}

/// `for i in a..b { … }`
pub(crate) struct For {
    pub label: Option<Ident>,
    pub id: LoopId,
    /// `for i in unroll(factor, a..b)`
    pub unroll: Option<Box<Expr>>,
    pub name: Binder,
    pub range: Range,
    pub body: Block,
}

pub(crate) struct Range {
    pub from: Box<Expr>,
    pub to: Box<Expr>,
    pub inclusive: bool,
}

/// `for pattern in $(iterable) { … }`
pub(crate) struct Unrolled {
    pub label: Option<Ident>,
    pub id: LoopId,
    pub pattern: TokenStream,
    /// The names that the pattern binds.
    pub names: Vec<Ident>,
    pub iterable: Capture,
    pub body: Block,
}

/// The target of `break` and `continue`.
pub(crate) struct Jump {
    pub label: Option<Ident>,
    pub to: Option<LoopId>,
}
