//! The value of a [`Condition`] for a record, by walking the tree.
//!
//! One walk serves two ends: with `E = ()` an undefined division is nothing but a failure and the result fits into
//! registers; with `E =` [`Undefined`] it says which division it was.

use super::ast::{Arithmetic, Comparison, Place};
use super::check::{Condition, Number};
use super::orders::Order;

/// What becomes of a division without a value.
pub trait Failure: Sized {
    /// The failure of the operator at `division`, because of `why`.
    fn new(division: &Place, why: &'static str) -> Self;
}

impl Failure for () {
    fn new(_: &Place, _: &'static str) -> Self {}
}

/// A division without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undefined {
    /// The operator.
    pub division: Place,
    /// "division by zero" or "division overflows".
    pub why: &'static str,
}

impl Failure for Undefined {
    fn new(division: &Place, why: &'static str) -> Self {
        Self { division: division.clone(), why }
    }
}

/// Whether `condition` holds for `order`.
///
/// # Errors
/// The first division without a value.
#[inline]
pub fn condition<E: Failure>(condition: &Condition, order: &Order) -> Result<bool, E> {
    Ok(match condition {
        Condition::Literal(value) => *value,
        Condition::Column(column) => column.read(order),
        Condition::Not(inner) => !self::condition(inner, order)?,
        Condition::And(left, right) => self::condition(left, order)? && self::condition(right, order)?,
        Condition::Or(left, right) => self::condition(left, order)? || self::condition(right, order)?,
        Condition::Same(left, right) => self::condition::<E>(left, order)? == self::condition(right, order)?,
        Condition::Compare(comparison, left, right) => {
            let (left, right) = (number(left, order)?, number(right, order)?);
            match comparison {
                Comparison::Eq => left == right,
                Comparison::Ne => left != right,
                Comparison::Lt => left < right,
                Comparison::Le => left <= right,
                Comparison::Gt => left > right,
                Comparison::Ge => left >= right,
            }
        }
    })
}

/// The value of `number` for `order`.
///
/// # Errors
/// The first division without a value.
#[inline]
pub fn number<E: Failure>(number: &Number, order: &Order) -> Result<i64, E> {
    Ok(match number {
        Number::Literal(value) => *value,
        Number::Column(column) => column.read(order),
        Number::Negate(inner) => self::number::<E>(inner, order)?.wrapping_neg(),
        Number::Arithmetic(arithmetic, place, left, right) => {
            let (left, right) = (self::number(left, order)?, self::number(right, order)?);
            let undefined = || E::new(place, if right == 0 { "division by zero" } else { "division overflows" });
            match arithmetic {
                Arithmetic::Add => left.wrapping_add(right),
                Arithmetic::Sub => left.wrapping_sub(right),
                Arithmetic::Mul => left.wrapping_mul(right),
                Arithmetic::Div => left.checked_div(right).ok_or_else(undefined)?,
                Arithmetic::Rem => left.checked_rem(right).ok_or_else(undefined)?,
            }
        }
    })
}
