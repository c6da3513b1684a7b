//! A condition typed on the command line, over a table of orders from a CSV file.
//!
//! ```text
//!   text ── lexer ──► tokens ── parser ──► ast::Expr ── check ──► Condition ──┬── evaluate ──► bool, record by record
//!           places               precedence             names resolved,        └── compile ───► a scan over all records
//!           in chars             as in Rust             numbers and conditions told apart
//! ```
//!
//! Evaluating walks the tree again for every record. Compiling walks it once; the condition is then as fast as one that
//! rustc has seen, although it did not exist when this program was compiled.
//!
//! # The language
//!
//! Names of columns ([`orders`]), whole numbers, `true` and `false`; `+ - * / %`, `== != < <= > >=`, `&& || !`, unary
//! `-`, parentheses; precedence as in Rust, so comparisons do not chain. Numbers are `i64`, and `+ - *` wrap. A record
//! for which the condition divides by zero (or `i64::MIN` by -1) ends the query with an error that names the record and
//! the division; `&&` and `||` do not look at their right side where the left one decides, so
//! `discount != 0 && price / discount > 9` is safe.

use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tickc::{Func, Jit};

use crate::measure::{Bench, Effort};
use crate::outcome::{LEGEND, Ordinary, Outcome, grouped};
use crate::text_error::{TextError, Underlined};
use crate::{Error, tiers};

pub mod ast;
pub mod check;
pub mod compile;
pub mod evaluate;
pub mod generate;
pub mod lexer;
pub mod orders;
pub mod parser;
mod read_csv;

pub use check::{Condition, Number};
pub use orders::Order;
pub use read_csv::{read_orders, read_orders_from};

/// Specialise a condition, typed here, for a scan over a table of orders
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "query", version, after_help = columns_help())]
pub struct Arguments {
    /// The table [default: the 200,000 orders that ship with the example]
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Which orders to select; may be given several times, each is a query of its own
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true, default_value = DEFAULT_CONDITION)]
    pub conditions: Vec<Predicate>,
    /// How many of the selected orders to print
    #[arg(long, value_name = "N", default_value_t = Self::SHOW)]
    pub show: usize,
    /// How long to measure
    #[command(flatten)]
    pub effort: Effort,
}

impl Arguments {
    const SHOW: usize = 3;

    /// The example as the tour runs it.
    #[must_use]
    pub fn tour(condition: Option<Predicate>, effort: Effort) -> Self {
        let condition =
            condition.unwrap_or_else(|| DEFAULT_CONDITION.parse().expect("the default condition is well-formed"));
        Self { csv: None, conditions: vec![condition], show: Self::SHOW, effort }
    }
}

fn columns_help() -> String {
    let mut help = "Columns of an order:\n".to_owned();
    for (name, kind, meaning) in orders::COLUMNS {
        help.push_str(&format!("  {name:<10}{kind:<6}{}\n", meaning.trim()));
    }
    help.push_str("\nA condition: price > 10000 && (qty <= 3 || !(region == 2)) && !express\n\n");
    help.push_str(LEGEND);
    help
}

/// The condition that is used when none is given; [`by_hand`] is the same in Rust.
pub const DEFAULT_CONDITION: &str = "price * qty > 50000 && (discount == 0 || region == 3) && day % 7 != 0 && !express";

/// [`DEFAULT_CONDITION`] as a Rust programmer would have written it before the program was compiled.
#[must_use]
pub fn by_hand(order: &Order) -> bool {
    order.price.wrapping_mul(i64::from(order.qty)) > 50_000
        && (order.discount == 0 || order.region == 3)
        && !order.day.is_multiple_of(7)
        && !order.express
}

/// A well-formed condition, with the text it came from.
#[derive(Clone, Debug)]
pub struct Predicate {
    /// As typed.
    pub text: String,
    /// As understood.
    pub condition: Condition,
}

impl FromStr for Predicate {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let condition = check::check(text, &parser::parse(text)?)?;
        Ok(Self { text: text.to_owned(), condition })
    }
}

impl Predicate {
    /// Whether the condition holds for `order`, by walking its tree: the reference. `None` if it has no value; then
    /// [`Self::undefined`] says why.
    #[must_use]
    #[inline]
    pub fn holds(&self, order: &Order) -> Option<bool> {
        evaluate::condition::<()>(&self.condition, order).ok()
    }

    /// The error for an order for which the condition has no value; `None` if it has one.
    #[must_use]
    pub fn undefined(&self, order: &Order) -> Option<Error> {
        let undefined = evaluate::condition::<evaluate::Undefined>(&self.condition, order).err()?;
        let place = Underlined { text: &self.text, place: &undefined.division };
        let undefined = format!("{} at column {}\n{place}", undefined.why, undefined.division.start + 1);
        Some(Error::Undefined { id: order.id, undefined })
    }

    /// The places in `orders` of those for which the condition holds.
    ///
    /// # Errors
    /// [`Error::Undefined`] for the first order for which it has no value.
    pub fn select(&self, orders: &[Order]) -> Result<Vec<usize>, Error> {
        let mut selected = Vec::new();
        for (place, order) in orders.iter().enumerate() {
            match self.holds(order) {
                Some(true) => selected.push(place),
                Some(false) => {}
                None => {
                    return Err(self.undefined(order).unwrap_or_else(|| unreachable!("both walks are one function")));
                }
            }
        }
        Ok(selected)
    }

    /// The same by `query`, which was compiled from this predicate's condition.
    ///
    /// # Errors
    /// As [`Self::select`].
    ///
    /// # Panics
    /// When `query` traps although the condition has a value for each of `orders`, so was compiled from another one.
    pub fn select_compiled(&self, query: &Func<compile::Query>, orders: &[Order]) -> Result<Vec<usize>, Error> {
        let mut places = vec![0; orders.len()];
        match query.try_call(orders, &mut places) {
            Ok(found) => {
                places.truncate(found);
                Ok(places)
            }
            // A trap says what happened, not for which record. That is worth a second walk, since it ends the query.
            Err(trap) => Err(orders
                .iter()
                .find_map(|order| self.undefined(order))
                .unwrap_or_else(|| panic!("{}: {trap}", self.text))),
        }
    }
}

/// Writes the places in `orders` of those that `keep` keeps to `places`, which is as long, and returns how many they are.
pub fn select_by(orders: &[Order], keep: impl Fn(&Order) -> bool, places: &mut [usize]) -> usize {
    let mut found = 0;
    for (place, order) in orders.iter().enumerate() {
        if keep(order) {
            places[found] = place;
            found += 1;
        }
    }
    found
}

/// Runs and prints the example.
///
/// # Errors
/// A table that cannot be read, a condition without a value, a result that differs, or a failure to print.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let shipped = || Path::new(env!("CARGO_MANIFEST_DIR")).join("data/orders.csv");
    let orders = read_orders(&arguments.csv.clone().unwrap_or_else(shipped))?;
    for (index, predicate) in arguments.conditions.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let selected = predicate.select(&orders)?;
        let outcome = measure(predicate, &orders, &selected, arguments.effort)?;
        writeln!(out, "{outcome}")?;
        for &place in selected.iter().take(arguments.show) {
            writeln!(out, "  {}", orders[place])?;
        }
        if selected.len() > arguments.show && arguments.show > 0 {
            writeln!(out, "  … and {} more", grouped((selected.len() - arguments.show) as u64))?;
        }
        outcome.verify_equal()?;
    }
    Ok(())
}

/// Times `predicate`, which has a value for each of `orders` and selects `selected`.
fn measure(predicate: &Predicate, orders: &[Order], selected: &[usize], effort: Effort) -> Result<Outcome, Error> {
    let known = predicate.text == DEFAULT_CONDITION;
    let bench = Bench::new("query", effort, 1 + usize::from(known) + tiers::MEASUREMENTS);
    let mut places = vec![0; orders.len()];

    let generic = "walking its tree";
    let per_use = bench.per_use(generic, orders.len(), || {
        let predicate = black_box(predicate);
        let holds = |order: &Order| predicate.holds(order) == Some(true);
        black_box(select_by(black_box(orders), holds, &mut places));
    });
    let mut others = Vec::new();
    if known {
        let version = "condition in the source";
        let per_use = bench.per_use(version, orders.len(), || {
            black_box(select_by(black_box(orders), by_hand, &mut places));
        });
        let found = select_by(orders, by_hand, &mut places);
        others.push(Ordinary { version, equal: places[..found] == *selected, per_use });
    }
    let jit = Jit::new()?;
    let tiers = tiers::measure(
        &bench,
        orders.len(),
        |tier| compile::compile(&jit, tier, &predicate.condition),
        |query| predicate.select_compiled(query, orders).is_ok_and(|places| places == selected),
        |query| {
            black_box(query.call(black_box(orders), &mut places));
        },
    )?;
    let (found, all) = (grouped(selected.len() as u64), grouped(orders.len() as u64));
    Ok(Outcome {
        name: "query",
        computes: format!("{found} of {all} orders where {}", predicate.text),
        one_use: "record",
        generic: Ordinary { version: generic, equal: true, per_use },
        others,
        tiers,
    })
}

#[cfg(test)]
mod tests;
