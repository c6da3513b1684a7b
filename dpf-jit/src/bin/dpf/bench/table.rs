//! [`Table`]: measured rows, and how they are printed.

use std::io::Write;

use serde_json::json;

use super::{Engine, clock};
use crate::error::Failure;

/// One engine in one case.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) case: String,
    /// Filters.
    pub(super) n: usize,
    pub(super) hit: Option<bool>,
    pub(super) engine: String,
    /// Per packet.
    pub(super) cycles: f64,
    pub(super) ratio: Option<f64>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
    only: Option<String>,
    passes: u32,
}

impl Table {
    pub(super) fn new(only: Option<String>, passes: u32) -> Self {
        Table { rows: Vec::new(), only, passes }
    }

    pub(super) fn wants(&self, case: &str) -> bool {
        self.only.as_ref().is_none_or(|only| case.starts_with(only.as_str()))
    }

    pub(super) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Measures engines in turn. The first is the hand-written one; all must give the same answers.
    pub(super) fn measure(
        &mut self,
        case: &str,
        n: usize,
        hit: Option<bool>,
        packets: usize,
        engines: Vec<Engine<'_>>,
    ) -> Result<(), Failure> {
        self.measure_prepared(case, n, hit, packets, || (), engines)
    }

    /// The same with something done before each pass, untimed.
    pub(super) fn measure_prepared(
        &mut self,
        case: &str,
        n: usize,
        hit: Option<bool>,
        packets: usize,
        mut prepare: impl FnMut(),
        mut engines: Vec<Engine<'_>>,
    ) -> Result<(), Failure> {
        if !self.wants(case) {
            return Ok(());
        }
        let mut least = vec![u64::MAX; engines.len()];
        for _ in 0..self.passes {
            prepare();
            let mut expected = None;
            for ((name, engine), least) in engines.iter_mut().zip(&mut least) {
                let start = clock::now();
                let sum = engine();
                *least = (*least).min(clock::now() - start);
                if *expected.get_or_insert(sum) != sum {
                    return Err(Failure::Wrong(format!("{case} {n}: {name} answers otherwise than the others")));
                }
            }
        }
        for ((name, _), cycles) in engines.iter().zip(&least) {
            self.rows.push(Row {
                case: case.into(),
                n,
                hit,
                engine: (*name).into(),
                cycles: *cycles as f64 / packets as f64,
                ratio: Some(*cycles as f64 / least[0] as f64),
            });
        }
        Ok(())
    }

    pub(super) fn json(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let rows: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                json!({
                    "case": row.case,
                    "n": row.n,
                    "hit": row.hit,
                    "engine": row.engine,
                    "cycles_per_packet": row.cycles,
                    "ratio_to_handwritten": row.ratio,
                })
            })
            .collect();
        Ok(writeln!(out, "{:#}", serde_json::Value::from(rows))?)
    }

    pub(super) fn text(&self, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(
            out,
            "{:<15} {:>6} {:<5} {:<12} {:>10} {:>16}",
            "case", "n", "", "engine", "cycles", "to handwritten"
        )?;
        for row in &self.rows {
            let hit = row.hit.map_or("", |hit| if hit { "hit" } else { "miss" });
            let ratio = row.ratio.map_or("-".into(), |ratio| format!("{ratio:.2} ×"));
            let Row { case, n, engine, cycles, .. } = row;
            writeln!(out, "{case:<15} {n:>6} {hit:<5} {engine:<12} {cycles:>10.1} {ratio:>16}")?;
        }
        Ok(())
    }
}
