//! From an [`Expr`] to a [`Condition`]: names resolved, numbers and conditions told apart.
//!
//! Afterwards there is nothing left that could be wrong except a division, so whatever walks a [`Condition`] (the
//! evaluator, a generator of code) has one case for each kind and no errors of its own.

use super::ast::{Arithmetic, Binary, Comparison, Expr, ExprKind, Place, Unary};
use super::orders::{COLUMNS, FlagColumn, NumberColumn};
use crate::text_error::TextError;

/// An expression whose value is an `i64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number {
    /// The same for every record.
    Literal(i64),
    /// A field of the record.
    Column(NumberColumn),
    /// `-a`, wrapping.
    Negate(Box<Number>),
    /// `a + b` and the like, with the place of the operator.
    Arithmetic(Arithmetic, Place, Box<Number>, Box<Number>),
}

/// An expression whose value is a `bool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The same for every record.
    Literal(bool),
    /// A field of the record.
    Column(FlagColumn),
    /// `!a`
    Not(Box<Condition>),
    /// `a && b`: `b` only where `a` holds.
    And(Box<Condition>, Box<Condition>),
    /// `a || b`: `b` only where `a` does not hold.
    Or(Box<Condition>, Box<Condition>),
    /// `a < b` and the like.
    Compare(Comparison, Box<Number>, Box<Number>),
    /// `a == b` of two conditions, both of which are evaluated.
    Same(Box<Condition>, Box<Condition>),
}

/// Checks that `expr`, parsed from `text`, is a condition over an order.
///
/// # Errors
/// The first place where a number stands for a condition or the reverse, where a name is no column, or where the
/// divisor is the number zero.
pub fn check(text: &str, expr: &Expr) -> Result<Condition, TextError> {
    Checker { text }.condition(expr)
}

/// What an expression is, as far as its own operator tells.
enum Typed {
    Number(Number),
    Condition(Condition),
}

struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn refuse<T>(&self, place: &Place, message: impl Into<String>) -> Result<T, TextError> {
        Err(TextError { text: self.text.to_owned(), place: place.clone(), message: message.into() })
    }

    fn condition(&self, expr: &Expr) -> Result<Condition, TextError> {
        match self.typed(expr)? {
            Typed::Condition(condition) => Ok(condition),
            Typed::Number(_) => self.refuse(&expr.place, "expected a condition, found a number"),
        }
    }

    fn number(&self, expr: &Expr) -> Result<Number, TextError> {
        match self.typed(expr)? {
            Typed::Number(number) => Ok(number),
            Typed::Condition(_) => self.refuse(&expr.place, "expected a number, found a condition"),
        }
    }

    fn typed(&self, expr: &Expr) -> Result<Typed, TextError> {
        Ok(match &expr.kind {
            ExprKind::Integer(value) => Typed::Number(Number::Literal(*value)),
            ExprKind::Bool(value) => Typed::Condition(Condition::Literal(*value)),
            ExprKind::Name(name) => self.column(name, &expr.place)?,
            ExprKind::Unary(Unary::Negate, inner) => Typed::Number(Number::Negate(Box::new(self.number(inner)?))),
            ExprKind::Unary(Unary::Not, inner) => Typed::Condition(Condition::Not(Box::new(self.condition(inner)?))),
            ExprKind::Binary(operator, place, left, right) => self.binary(*operator, place, left, right)?,
        })
    }

    fn column(&self, name: &str, place: &Place) -> Result<Typed, TextError> {
        let number = NumberColumn::ALL.iter().find(|column| column.name() == name);
        let flag = FlagColumn::ALL.iter().find(|column| column.name() == name);
        match (number, flag) {
            (Some(&column), _) => Ok(Typed::Number(Number::Column(column))),
            (None, Some(&column)) => Ok(Typed::Condition(Condition::Column(column))),
            (None, None) => {
                let names: Vec<&str> = COLUMNS.iter().map(|(name, _, _)| *name).collect();
                self.refuse(place, format!("there is no column '{name}' (but {}),", names.join(", ")))
            }
        }
    }

    fn binary(&self, operator: Binary, place: &Place, left: &Expr, right: &Expr) -> Result<Typed, TextError> {
        Ok(match operator {
            Binary::Or => {
                Typed::Condition(Condition::Or(Box::new(self.condition(left)?), Box::new(self.condition(right)?)))
            }
            Binary::And => {
                Typed::Condition(Condition::And(Box::new(self.condition(left)?), Box::new(self.condition(right)?)))
            }
            Binary::Compare(comparison) => Typed::Condition(self.comparison(comparison, place, left, right)?),
            Binary::Arithmetic(arithmetic) => {
                let (left, right_number) = (self.number(left)?, self.number(right)?);
                let divides = matches!(arithmetic, Arithmetic::Div | Arithmetic::Rem);
                if divides && right_number == Number::Literal(0) {
                    return self.refuse(&right.place, "the divisor is zero");
                }
                Typed::Number(Number::Arithmetic(arithmetic, place.clone(), Box::new(left), Box::new(right_number)))
            }
        })
    }

    /// Two numbers, or, with `==` and `!=`, two conditions.
    fn comparison(
        &self,
        comparison: Comparison,
        place: &Place,
        left: &Expr,
        right: &Expr,
    ) -> Result<Condition, TextError> {
        match self.typed(left)? {
            Typed::Number(left) => Ok(Condition::Compare(comparison, Box::new(left), Box::new(self.number(right)?))),
            Typed::Condition(left) => {
                let same = |right| Condition::Same(Box::new(left), Box::new(right));
                match comparison {
                    Comparison::Eq => Ok(same(self.condition(right)?)),
                    Comparison::Ne => Ok(Condition::Not(Box::new(same(self.condition(right)?)))),
                    _ => self.refuse(place, "conditions can be compared with '==' and '!=' only; this is neither,"),
                }
            }
        }
    }
}
