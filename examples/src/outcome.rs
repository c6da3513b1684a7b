//! What one specialisation cost and gained, and the table that shows it.

use std::fmt;

use comfy_table::{CellAlignment, Table, TableComponent, presets};

use crate::Error;
use crate::clock::{TICK, ticks_per_nanosecond};

/// How the tables are to be read, for the end of the tour and of each example's help.
pub const LEGEND: &str = "\
Speed-up is against the reference; so is the number of uses that repay the compilation.
Compiling is timed from the first quotation to the callable function, in a program that compiles often.";

/// One example's results: the same computation by ordinary Rust and by every tier.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The example.
    pub name: &'static str,
    /// What it computes, for a reader who has not seen the source.
    pub computes: String,
    /// What counts as one use: "a call", "a record", "a picture".
    pub one_use: &'static str,
    /// Ordinary Rust that takes the run-time constants as data: the reference for results and speed.
    pub generic: Ordinary,
    /// Other ordinary Rust for comparison, better than the generic one in some way.
    pub others: Vec<Ordinary>,
    /// The specialised versions, one for each tier.
    pub tiers: Vec<Specialised>,
}

/// A version compiled by rustc.
#[derive(Clone, Debug)]
pub struct Ordinary {
    /// What distinguishes it.
    pub version: &'static str,
    /// Whether its result equals the reference.
    pub equal: bool,
    /// Ticks per use.
    pub per_use: f64,
}

/// A version compiled at run time.
#[derive(Clone, Debug)]
pub struct Specialised {
    /// The tier that compiled it.
    pub tier: String,
    /// Whether its result equals the reference.
    pub equal: bool,
    /// Ticks per use.
    pub per_use: f64,
    /// Ticks from building the quotation to the callable function.
    pub compile: f64,
    /// Machine instructions generated.
    pub instructions: usize,
    /// Bytes of machine code generated.
    pub bytes: usize,
}

impl Specialised {
    /// Ticks of compilation per generated instruction; `None` where there are none (an interpreter).
    #[must_use]
    pub fn compile_per_instruction(&self) -> Option<f64> {
        (self.instructions > 0).then(|| self.compile / self.instructions as f64)
    }

    /// How many uses repay the compilation; `None` if it is never repaid.
    #[must_use]
    pub fn cross_over(&self, generic: &Ordinary) -> Option<u64> {
        let gain = generic.per_use - self.per_use;
        (gain > 0.0).then(|| (self.compile / gain).ceil().max(1.0) as u64)
    }
}

impl Outcome {
    /// An error naming the first version whose result differs from the reference.
    ///
    /// # Errors
    /// [`Error::Differs`].
    pub fn verify_equal(&self) -> Result<(), Error> {
        let others = self.others.iter().map(|other| (other.equal, other.version.to_owned()));
        let tiers = self.tiers.iter().map(|tier| (tier.equal, tier.tier.clone()));
        match others.chain(tiers).find(|(equal, _)| !equal) {
            Some((_, version)) => Err(Error::Differs { name: self.name, version }),
            None => Ok(()),
        }
    }

    fn ordinary_row(&self, ordinary: &Ordinary, result: &'static str) -> Vec<String> {
        vec![
            format!("Rust, {}", ordinary.version),
            result.to_owned(),
            duration(ordinary.per_use),
            speed_up(self.generic.per_use, ordinary.per_use),
        ]
    }

    fn specialised_row(&self, tier: &Specialised) -> Vec<String> {
        vec![
            format!("tickc, {}", tier.tier),
            result(tier.equal).to_owned(),
            duration(tier.per_use),
            speed_up(self.generic.per_use, tier.per_use),
            grouped(tier.compile.round() as u64),
            grouped(tier.instructions as u64),
            tier.compile_per_instruction().map_or_else(|| "–".to_owned(), |ticks| format!("{ticks:.1}")),
            grouped(tier.bytes as u64),
            tier.cross_over(&self.generic).map_or_else(|| "never".to_owned(), grouped),
        ]
    }
}

/// The name and the table, without a line end.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut header =
            vec!["version".to_owned(), "result".into(), format!("time per\n{}", self.one_use), "speed-\nup".into()];
        if !self.tiers.is_empty() {
            header.extend([
                format!("{TICK} to\ncompile"),
                "instruc-\ntions".into(),
                format!("{TICK} per\ninstr."),
                "bytes".into(),
                "repaid\nafter".into(),
            ]);
        }
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_header(header);
        // No lines between the rows.
        table.remove_style(TableComponent::HorizontalLines);
        table.remove_style(TableComponent::MiddleIntersections);
        table.add_row(self.ordinary_row(&self.generic, "reference"));
        for other in &self.others {
            table.add_row(self.ordinary_row(other, result(other.equal)));
        }
        for tier in &self.tiers {
            table.add_row(self.specialised_row(tier));
        }
        for numbers in table.column_iter_mut().skip(2) {
            numbers.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{}: {}", self.name, self.computes)?;
        write!(f, "{table}")
    }
}

fn result(equal: bool) -> &'static str {
    if equal { "equal" } else { "DIFFERS" }
}

fn speed_up(generic: f64, own: f64) -> String {
    if own > 0.0 { format!("{:.2} ×", generic / own) } else { "–".to_owned() }
}

/// Ticks as a time with three significant digits.
fn duration(ticks: f64) -> String {
    let nanoseconds = ticks / ticks_per_nanosecond();
    let (value, unit) = match nanoseconds {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        let tier = Specialised {
            tier: "one-pass".into(),
            equal: true,
            per_use: 40.0,
            compile: 1000.0,
            instructions: 50,
            bytes: 190,
        };
        Outcome {
            name: "test",
            computes: "nothing".into(),
            one_use: "call",
            generic: Ordinary { version: "generic", equal: true, per_use: 100.0 },
            others: vec![Ordinary { version: "by hand", equal: true, per_use: 50.0 }],
            tiers: vec![tier],
        }
    }

    #[test]
    fn cross_over_is_the_first_use_that_repays() {
        let mut outcome = outcome();
        assert_eq!(outcome.tiers[0].cross_over(&outcome.generic), Some(17)); // 16 × 60 < 1000 ≤ 17 × 60
        outcome.tiers[0].compile = 1.0;
        assert_eq!(outcome.tiers[0].cross_over(&outcome.generic), Some(1));
        outcome.tiers[0].per_use = 100.0;
        assert_eq!(outcome.tiers[0].cross_over(&outcome.generic), None);
    }

    #[test]
    fn table_shows_every_number() {
        let text = outcome().to_string();
        for expected in ["test: nothing", "reference", "2.50 ×", "1,000", "50", "190", "20.0", "17"] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }

    #[test]
    fn without_tiers_there_are_no_empty_columns() {
        let mut outcome = outcome();
        outcome.tiers.clear();
        assert!(!outcome.to_string().contains("instruction"));
    }

    #[test]
    fn no_instructions_no_division() {
        let mut outcome = outcome();
        outcome.tiers[0].instructions = 0;
        assert_eq!(outcome.tiers[0].compile_per_instruction(), None);
    }

    #[test]
    fn a_wrong_result_is_an_error() {
        let mut outcome = outcome();
        assert!(outcome.verify_equal().is_ok());
        outcome.tiers[0].equal = false;
        assert_eq!(
            outcome.verify_equal().unwrap_err().to_string(),
            "test: one-pass computes another result than the reference"
        );
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
