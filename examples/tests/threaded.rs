//! The threaded interpreter and the compiler against values worked out in Rust, and mistakes in expressions.

use examples::threaded::{Program, evaluate};
use tickc::prelude::*;

/// What both engines make of an expression.
fn value(expression: &str, x: i64) -> Result<i64, String> {
    let program: Program = expression.parse().unwrap_or_else(|error| panic!("{expression}: {error}"));
    let ([interpreted, compiled], _) = evaluate(&program, x).unwrap();
    let [interpreted, compiled] = [interpreted, compiled].map(|result| result.map_err(|trap: Trap| trap.to_string()));
    assert_eq!(interpreted, compiled, "{expression}");
    compiled
}

#[test]
fn both_engines_agree_with_rust() {
    for x in [-7, -1, 0, 1, 2, 10, i64::MAX] {
        assert_eq!(value("(x + 3) * -x / 2", x), Ok(x.wrapping_add(3).wrapping_mul(-x) / 2));
        assert_eq!(value("1 - 2 - x*x - (4 - x)", x), Ok((-1i64).wrapping_sub(x.wrapping_mul(x)).wrapping_sub(4 - x)));
        assert_eq!(value(" --x ", x), Ok(x));
        assert_eq!(value("9223372036854775807", x), Ok(i64::MAX));
    }
    assert_eq!(value("100 / x / 3", 5), Ok(6));
    assert_eq!(value("1 / (x - 5)", 5), Err("attempt to divide by zero".to_owned()));
    assert_eq!(value("(x - 1) / x", -1).unwrap(), 2);
    assert!(value("(-9223372036854775807 - 1) / x", -1).unwrap_err().contains("overflow"));
    let long = format!("x{}", " + x".repeat(500));
    assert_eq!(value(&long, 2), Ok(1002));
}

#[test]
fn mistakes_are_pointed_at() {
    let error = |expression: &str| expression.parse::<Program>().unwrap_err();
    for (expression, column, message) in [
        ("", 1, "expected x, `(`, `-` or an integer"),
        ("1 +", 4, "expected x, `(`, `-` or an integer"),
        ("(1 + x", 7, "expected `)`"),
        ("1 x", 3, "expected an operator"),
        ("2 * y", 5, "expected x, `(`, `-` or an integer"),
        ("99999999999999999999", 1, "expected an integer of 64 bits"),
    ] {
        let error = error(expression);
        assert_eq!((error.column(), error.message.as_str()), (column, message), "{expression}");
    }
    assert_eq!(error(&"(".repeat(100_000)).message, "expected at most 500 levels");
    assert_eq!(error(&"-".repeat(100_000)).message, "expected at most 500 levels");
}
