//! Writes the table of the query example: `cargo run --release --bin make-orders -- examples/data/orders.csv`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use examples::Error;
use examples::query::generate::{ORDERS, write_csv};

/// Write the table of orders that ships with the query example
#[derive(clap::Parser)]
#[command(name = "make-orders", version)]
struct Arguments {
    /// Where the table goes
    #[arg(value_name = "FILE")]
    target: PathBuf,
}

fn main() -> ExitCode {
    examples::cli::run(|Arguments { target }, out| {
        let file = File::create(target).map_err(|error| Error::file("create", target, error))?;
        let mut file = BufWriter::new(file);
        let written = write_csv(&mut file).and_then(|()| file.flush());
        written.map_err(|error| Error::file("write", target, error))?;
        writeln!(out, "{ORDERS} orders written to {}", target.display())?;
        Ok(())
    })
}
