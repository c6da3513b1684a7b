//! A call with twelve arguments whose types are known only at run time.
//!
//! The arguments come from the command line, each with its type. What is called is an ordinary `extern "C"` function; a call of it
//! is built argument by argument, and `compile` checks it against the function's signature.

use std::io::Write;
use std::str::FromStr;

use tickc::prelude::*;
use tickc::{DynCall, Type, Value};

use crate::Error;

/// Call a function of twelve mixed parameters with arguments whose types are known at run time
///
/// The function takes i8 f64 u16 f32 i64 bool u8 i32 f64 u64 i16 f32 and returns the sum of its arguments, each times its number.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "arguments", version)]
pub struct Arguments {
    /// A value with its type: -3i8, 0.5f64, true
    #[arg(value_name = "VALUE", allow_negative_numbers = true, allow_hyphen_values = true, default_values = Self::VALUES)]
    pub values: Vec<Argument>,
}

impl Arguments {
    const VALUES: [&str; 12] = [
        "-3i8",
        "0.5f64",
        "7u16",
        "2.25f32",
        "-100000i64",
        "true",
        "255u8",
        "-9i32",
        "1e3f64",
        "12345678901u64",
        "-2i16",
        "0.125f32",
    ];
}

/// A value with its type, as typed by the user.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Argument(pub Value);

impl FromStr for Argument {
    type Err = String;

    fn from_str(text: &str) -> Result<Argument, String> {
        fn of<T: FromStr + Into<Value>>(digits: &str) -> Option<Value> {
            digits.parse::<T>().ok().map(Into::into)
        }
        type Parse = fn(&str) -> Option<Value>;
        let types: [(&str, Parse); 12] = [
            ("isize", of::<isize>),
            ("usize", of::<usize>),
            ("i16", of::<i16>),
            ("i32", of::<i32>),
            ("i64", of::<i64>),
            ("u16", of::<u16>),
            ("u32", of::<u32>),
            ("u64", of::<u64>),
            ("f32", of::<f32>),
            ("f64", of::<f64>),
            ("i8", of::<i8>),
            ("u8", of::<u8>),
        ];
        let value = match types.iter().find_map(|&(name, parse)| Some((name, text.strip_suffix(name)?, parse))) {
            Some((name, digits, parse)) => parse(digits).ok_or_else(|| format!("'{digits}' is no {name}"))?,
            None => Value::Bool(text.parse().map_err(|_| "expected a value with its type, like -3i8, 0.5f64 or true")?),
        };
        Ok(Argument(value))
    }
}

/// The function that is called.
#[allow(clippy::too_many_arguments, reason = "that is what the example is about")]
pub extern "C" fn weigh(
    a: i8,
    b: f64,
    c: u16,
    d: f32,
    e: i64,
    f: bool,
    g: u8,
    h: i32,
    i: f64,
    j: u64,
    k: i16,
    l: f32,
) -> f64 {
    let numbers = [
        a.into(),
        b,
        c.into(),
        d.into(),
        e as f64,
        u8::from(f).into(),
        g.into(),
        h.into(),
        i,
        j as f64,
        k.into(),
        l.into(),
    ];
    (1..).zip(numbers).fold(0.0, |sum, (number, x): (i32, f64)| sum + x * f64::from(number))
}

/// The type of [`weigh`].
pub type Weigh = extern "C" fn(i8, f64, u16, f32, i64, bool, u8, i32, f64, u64, i16, f32) -> f64;

/// The same call by ordinary Rust: the reference. `None` if these are not the function's arguments.
#[must_use]
pub fn direct(values: &[Value]) -> Option<f64> {
    use Value::{Bool, F32, F64, I8, I16, I32, I64, U8, U16, U64};
    match *values {
        [I8(a), F64(b), U16(c), F32(d), I64(e), Bool(f), U8(g), I32(h), F64(i), U64(j), I16(k), F32(l)] => {
            Some(weigh(a, b, c, d, e, f, g, h, i, j, k, l))
        }
        _ => None,
    }
}

/// Calls the function with these values: as parameters of a function compiled for their types, and as constants.
///
/// # Errors
/// Which argument does not fit.
pub fn call(jit: &Jit, values: &[Value]) -> Result<[f64; 2], tickc::Error> {
    let types: Vec<Type> = values.iter().map(|value| value.ty()).collect();
    let by_parameters = jit.compile_dyn(&types, Type::F64, |params| {
        let mut call = DynCall::new(&(weigh as Weigh));
        for param in params {
            call.arg(param);
        }
        call.any()
    })?;
    let mut call = DynCall::new(&(weigh as Weigh));
    for value in values {
        call.arg(value);
    }
    let by_constants = jit.compile(tick!(|| -> f64 { @(call.code()) }))?;
    Ok([f64::try_from(by_parameters.call(values)?)?, by_constants.call()])
}

/// Runs and prints the example.
///
/// # Errors
/// Arguments that the function does not take, a result that differs, or a failure to print.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let values: Vec<Value> = arguments.values.iter().map(|argument| argument.0).collect();
    let [by_parameters, by_constants] = call(&Jit::new()?, &values)?;
    for (version, result) in [("by parameters", by_parameters), ("by constants", by_constants)] {
        if direct(&values).map(f64::to_bits) != Some(result.to_bits()) {
            return Err(Error::Differs { name: "arguments", version: version.into() });
        }
    }
    for (number, value) in (1..).zip(&values) {
        writeln!(out, "{number:>4} × {value} ({})", value.ty())?;
    }
    writeln!(out, "sum: {by_parameters}, as by a call of ordinary Rust")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_types() {
        for (text, value) in [
            ("-3i8", Value::I8(-3)),
            ("1e3f64", Value::F64(1000.0)),
            ("7usize", Value::Usize(7)),
            ("false", Value::Bool(false)),
            ("-inff32", Value::F32(f32::NEG_INFINITY)),
        ] {
            assert_eq!(text.parse(), Ok(Argument(value)));
        }
        assert_eq!("300u8".parse::<Argument>(), Err("'300' is no u8".into()));
        assert!("7".parse::<Argument>().unwrap_err().contains("with its type"));
    }

    #[test]
    fn every_way_of_calling_agrees() {
        let jit = Jit::new().unwrap();
        for step in 0..50i64 {
            let x = step * 37 - 900;
            let values = [
                Value::I8(x as i8),
                Value::F64(x as f64 / 7.0),
                Value::U16(x as u16),
                Value::F32(x as f32 * 0.5),
                Value::I64(x << 40),
                Value::Bool(x % 2 == 0),
                Value::U8(x as u8),
                Value::I32(x as i32 * 1000),
                Value::F64(-x as f64),
                Value::U64(x as u64),
                Value::I16(x as i16),
                Value::F32(1.0 / (x as f32 + 0.5)),
            ];
            let expected = direct(&values).unwrap();
            assert_eq!(call(&jit, &values).unwrap(), [expected; 2]);
        }
    }
}
