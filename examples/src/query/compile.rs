//! From a [`Condition`] to machine code: the same walk as [`evaluate`](super::evaluate), but done once, and what it
//! leaves behind is not the value but the code that computes it.
//!
//! Each case returns a fragment that contains those of its operands. Comparisons, `&&` and `||` become branches, names
//! become loads from the record, literals become immediate operands.

use tickc::prelude::*;

use super::ast::{Arithmetic, Comparison};
use super::check::{Condition, Number};
use super::orders::Order;

/// A compiled query: writes the places of the orders selected to the second slice, and returns how many they are.
/// Traps where the condition has no value, and where the second slice is too short.
pub type Query = fn(Slice<Order>, SliceMut<usize>) -> usize;

/// Compiles the scan over a table for `condition`.
///
/// # Errors
/// That no code could be generated.
pub fn compile(jit: &Jit, tier: Tier, condition: &Condition) -> Result<Func<Query>, tickc::Error> {
    let scan = tick!(|orders: Slice<Order>, places: SliceMut<usize>| -> usize {
        let mut found = 0;
        for place in 0..orders.len() {
            let order = &orders[place];
            if @(self::condition(condition, order)) {
                places[found] = place;
                found += 1;
            }
        }
        found
    });
    jit.compile_with(tier, scan)
}

/// Code for whether `condition` holds for `order`.
pub fn condition<'a>(condition: &Condition, order: Var<Ref<Order>>) -> Code<'a, bool> {
    match condition {
        Condition::Literal(value) => tick!($(*value)),
        Condition::Column(column) => column.load(order),
        Condition::Not(inner) => {
            let inner = self::condition(inner, order);
            tick!(!@inner)
        }
        Condition::And(left, right) => {
            let (left, right) = (self::condition(left, order), self::condition(right, order));
            tick!(@left && @right)
        }
        Condition::Or(left, right) => {
            let (left, right) = (self::condition(left, order), self::condition(right, order));
            tick!(@left || @right)
        }
        Condition::Same(left, right) => {
            let (left, right) = (self::condition(left, order), self::condition(right, order));
            tick!(@left == @right)
        }
        Condition::Compare(comparison, left, right) => compare(*comparison, number(left, order), number(right, order)),
    }
}

/// Code for a comparison of two numbers.
fn compare<'a>(comparison: Comparison, left: Code<'a, i64>, right: Code<'a, i64>) -> Code<'a, bool> {
    match comparison {
        Comparison::Eq => tick!(@left == @right),
        Comparison::Ne => tick!(@left != @right),
        Comparison::Lt => tick!(@left < @right),
        Comparison::Le => tick!(@left <= @right),
        Comparison::Gt => tick!(@left > @right),
        Comparison::Ge => tick!(@left >= @right),
    }
}

/// Code for the value of `number` for `order`.
pub fn number<'a>(number: &Number, order: Var<Ref<Order>>) -> Code<'a, i64> {
    match number {
        Number::Literal(value) => tick!($(*value)),
        Number::Column(column) => column.load(order),
        Number::Negate(inner) => {
            let inner = self::number(inner, order);
            tick!(-@inner)
        }
        Number::Arithmetic(arithmetic, _, left, right) => {
            calculate(*arithmetic, self::number(left, order), self::number(right, order))
        }
    }
}

/// Code for arithmetic with two numbers. It wraps, and divisions trap, as the language of conditions wants.
fn calculate<'a>(arithmetic: Arithmetic, left: Code<'a, i64>, right: Code<'a, i64>) -> Code<'a, i64> {
    match arithmetic {
        Arithmetic::Add => tick!(@left + @right),
        Arithmetic::Sub => tick!(@left - @right),
        Arithmetic::Mul => tick!(@left * @right),
        Arithmetic::Div => tick!(@left / @right),
        Arithmetic::Rem => tick!(@left % @right),
    }
}
