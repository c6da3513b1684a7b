//! Constant expressions: `+ - * / % << >> & | ^`, parentheses, names; C's precedence.
//!
//! Values are exact while they are computed (128 bits, overflow is an error) and must fit 64 bits, signed or unsigned, where
//! they are used.

use super::AsmError;
use super::lexer::{Kind, Token};
use super::parser::Cursor;

/// Parentheses within parentheses.
const MAX_DEPTH: u32 = 64;

/// The operators with how tightly they bind.
const OPERATORS: [(&str, u8); 10] =
    [("|", 1), ("^", 2), ("&", 3), ("<<", 4), (">>", 4), ("+", 5), ("-", 5), ("*", 6), ("/", 6), ("%", 6)];

/// Parses and evaluates an expression.
pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<i128, AsmError> {
    operators(cursor, 0, 0)
}

fn operators(cursor: &mut Cursor<'_>, least: u8, depth: u32) -> Result<i128, AsmError> {
    let mut value = primary(cursor, depth)?;
    while let Some(token) = cursor.peek() {
        let Some(&(operator, tightness)) = OPERATORS.iter().find(|(symbol, _)| token.is(symbol)) else { break };
        if tightness <= least {
            break;
        }
        let token = token.clone();
        cursor.next();
        let right = operators(cursor, tightness, depth + 1)?;
        value = apply(operator, value, right).ok_or_else(|| undefined(cursor, &token, value, right))?;
    }
    Ok(value)
}

fn apply(operator: &str, x: i128, y: i128) -> Option<i128> {
    let shift = u32::try_from(y).ok().filter(|&n| n < 64);
    match operator {
        "+" => x.checked_add(y),
        "-" => x.checked_sub(y),
        "*" => x.checked_mul(y),
        "/" => x.checked_div(y),
        "%" => x.checked_rem(y),
        "<<" => x.checked_mul(1 << shift?),
        ">>" => Some(x >> shift?),
        "&" => Some(x & y),
        "^" => Some(x ^ y),
        _ => Some(x | y),
    }
}

fn undefined(cursor: &Cursor<'_>, token: &Token, x: i128, y: i128) -> AsmError {
    let operator = token.text();
    cursor.error_at(token.place, format!("`{x} {operator} {y}` has no value")).help(match operator.as_str() {
        "/" | "%" => "the divisor must not be zero",
        "<<" | ">>" => "the count must be 0 to 63 and the result not too large",
        _ => "the result is too large",
    })
}

fn primary(cursor: &mut Cursor<'_>, depth: u32) -> Result<i128, AsmError> {
    if depth > MAX_DEPTH {
        return Err(cursor.error(format!("the expression is nested more than {MAX_DEPTH} deep")));
    }
    let Some(token) = cursor.next() else { return Err(cursor.error("a number is missing here".to_owned())) };
    match &token.kind {
        Kind::Number(n) => Ok(i128::from(*n)),
        Kind::Word(name) => cursor.constant(name, token.place),
        Kind::Symbol("-") => primary(cursor, depth + 1)?
            .checked_neg()
            .ok_or_else(|| cursor.error_at(token.place, "the negated number is too large".to_owned())),
        Kind::Symbol("(") => {
            let value = operators(cursor, 0, depth + 1)?;
            cursor.expect(")")?;
            Ok(value)
        }
        _ => Err(cursor.error_at(token.place, format!("expected a number, found `{}`", token.text()))),
    }
}
