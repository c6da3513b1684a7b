//! A condition as its text reads, before names and kinds are checked.

use std::ops::Range;

/// Characters of the text, counted from 0 in `char`s.
pub type Place = Range<usize>;

/// An expression and the characters it spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub place: Place,
    /// Length of the longest path to a leaf; at most [`super::parser::MAX_DEPTH`].
    pub depth: usize,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExprKind {
    /// `12`, also `-12`
    Integer(i64),
    /// `true`, `false`
    Bool(bool),
    /// `price`
    Name(String),
    /// `-a`, `!a`
    Unary(Unary, Box<Expr>),
    /// `a + b`, with the place of the operator
    Binary(Binary, Place, Box<Expr>, Box<Expr>),
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `-`
    Negate,
    /// `!`
    Not,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `||`
    Or,
    /// `&&`
    And,
    /// `== != < <= > >=`
    Compare(Comparison),
    /// `+ - * / %`
    Arithmetic(Arithmetic),
}

/// Operators from two numbers to a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// Operators from two numbers to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`, wrapping
    Add,
    /// `-`, wrapping
    Sub,
    /// `*`, wrapping
    Mul,
    /// `/`, towards zero
    Div,
    /// `%`, with the sign of the left side
    Rem,
}

impl Binary {
    /// How tightly it binds, as in Rust; a larger number is tighter.
    #[must_use]
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Compare(_) => 3,
            Self::Arithmetic(Arithmetic::Add | Arithmetic::Sub) => 4,
            Self::Arithmetic(Arithmetic::Mul | Arithmetic::Div | Arithmetic::Rem) => 5,
        }
    }
}
