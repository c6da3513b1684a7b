//! The list of examples, and the program that runs them one after the other.

use std::io::Write;

use clap::ValueEnum;

use crate::measure::Effort;
use crate::outcome::LEGEND;
use crate::query::Predicate;
use crate::{Error, convolve, dot, power, query};

/// Specialise hot loops at run time on real input, check the results and measure the gain
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "tour", version, after_help = LEGEND)]
pub struct Arguments {
    /// Run only this example; may be given several times
    #[arg(long, value_name = "NAME")]
    pub only: Vec<Example>,
    /// The condition of the query example
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    pub condition: Option<Predicate>,
    /// How long to measure
    #[command(flatten)]
    pub effort: Effort,
}

/// The examples, in the tour's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Example {
    /// x^n for an exponent known at run time
    Power,
    /// Dot product with a sparse vector known at run time
    Dot,
    /// A condition typed on the command line over 200,000 records
    Query,
    /// Convolution of a picture with a mask known at run time
    Convolve,
}

/// Runs and prints the examples asked for, or all.
///
/// # Errors
/// The first error of an example.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Error> {
    let effort = arguments.effort;
    let asked = |example: &&Example| arguments.only.is_empty() || arguments.only.contains(example);
    for (index, example) in Example::value_variants().iter().filter(asked).enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        match example {
            Example::Power => power::run(&power::Arguments::tour(effort), out)?,
            Example::Dot => dot::run(&dot::Arguments::tour(effort), out)?,
            Example::Query => query::run(&query::Arguments::tour(arguments.condition.clone(), effort), out)?,
            Example::Convolve => convolve::run(&convolve::Arguments::tour(effort), out)?,
        }
    }
    writeln!(out, "\n{LEGEND}")?;
    Ok(())
}
