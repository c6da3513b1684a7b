//! Reading the table from a CSV file: a first line with the names of the columns, in any order; further columns are
//! ignored.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::orders::{COLUMNS, Order};
use crate::Error;

/// Reads the table from a file.
///
/// # Errors
/// [`Error::File`] if it cannot be opened; [`Error::Csv`] with the line that is wrong.
pub fn read_orders(path: &Path) -> Result<Vec<Order>, Error> {
    let file = File::open(path).map_err(|error| Error::file("open", path, error))?;
    read_orders_from(file, path)
}

/// Reads the table from `source`, called `path` in errors. The table is not empty.
///
/// # Errors
/// [`Error::Csv`] with the line that is wrong.
pub fn read_orders_from(source: impl Read, path: &Path) -> Result<Vec<Order>, Error> {
    let refuse = |line: u64, message: String| Error::Csv { path: path.to_owned(), line, message };
    let damaged = |last_line: u64, error: csv::Error| {
        let line = error.position().map_or(last_line, csv::Position::line);
        let message = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} columns, but the first line names {expected_len}")
            }
            csv::ErrorKind::Utf8 { err, .. } => format!("column {} is not UTF-8", err.field() + 1),
            _ => error.to_string(),
        };
        refuse(line, message)
    };
    let mut reader = csv::ReaderBuilder::new().from_reader(source);
    let header = reader.headers().map_err(|error| damaged(1, error))?;
    let mut places = Vec::with_capacity(COLUMNS.len());
    for (name, _, _) in COLUMNS {
        let mut found = (0..header.len()).filter(|&place| header[place].trim() == *name);
        match (found.next(), found.next()) {
            (Some(place), None) => places.push(place),
            (None, _) => return Err(refuse(1, format!("there is no column '{name}'"))),
            (Some(_), Some(_)) => return Err(refuse(1, format!("there are two columns '{name}'"))),
        }
    }
    let mut orders = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| damaged(reader_line(&record), error))? {
        let order = Order::parse(|column| &record[places[column]]);
        orders.push(order.map_err(|bad| refuse(reader_line(&record), bad.to_string()))?);
    }
    if orders.is_empty() {
        return Err(refuse(1, "the table has no orders".into()));
    }
    Ok(orders)
}

fn reader_line(record: &csv::StringRecord) -> u64 {
    record.position().map_or(1, csv::Position::line)
}
