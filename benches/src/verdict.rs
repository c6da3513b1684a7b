//! The limits, applied to the rows of one run.

use std::fmt;

use crate::clif;
use crate::floor;
use crate::row::{Budget, Row};
use crate::workloads::Workload;

/// Generated code may be this much slower than the hand-allocated.
pub const MOST_RUN_RATIO: f64 = 1.05;
/// Generating may cost so much of the floor, beyond the empty function.
pub const MOST_FLOOR_RATIO: f64 = 2.5;
/// The workloads on which [`MOST_FLOOR_RATIO`] is asked for.
pub const FLOOR_RATIO_ON: [&str; 2] = ["W2", "W3"];

/// What the Cranelift tier may take beside Cranelift, in percent.
pub const MOST_BESIDE_CRANELIFT: f64 = 5.0;

/// How much slower the Cranelift tier's code may be than CLIF written by hand.
pub const MOST_CLIF_RATIO: f64 = 1.03;

/// One limit and what was measured.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Workload and tier.
    pub subject: String,
    /// What is limited, with its unit.
    pub rule: String,
    /// What was measured.
    pub measured: f64,
    /// The limit; at most this much.
    pub limit: f64,
}

impl Verdict {
    /// Whether the limit is kept.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.measured <= self.limit
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {:<20} {:>9.2} of at most {:>9.2}  {}",
            if self.holds() { "ok  " } else { "MISS" },
            self.subject,
            self.measured,
            self.limit,
            self.rule,
        )
    }
}

/// Every limit that applies to the rows. A tier is held to budgets; the yardsticks only
/// to their number of instructions.
#[must_use]
pub fn judge(rows: &[Row]) -> Vec<Verdict> {
    rows.iter().flat_map(judge_row).collect()
}

/// The limit of what the Cranelift tier does itself.
#[must_use]
pub fn judge_cranelift(shares: &[(Workload, f64)]) -> Vec<Verdict> {
    let verdict = |&(workload, percent): &(Workload, f64)| Verdict {
        subject: format!("{} cranelift", workload.name()),
        rule: "percent of Cranelift's own time to build CLIF and to compile it, for everything else".to_owned(),
        measured: percent,
        limit: MOST_BESIDE_CRANELIFT,
    };
    shares.iter().map(verdict).collect()
}

fn judge_row(row: &Row) -> Vec<Verdict> {
    let verdict = |rule: String, measured: f64, limit: f64| Verdict {
        subject: format!("{} {}", row.workload, row.tier),
        rule,
        measured,
        limit,
    };
    if let Some(ratio) = row.run_ratio_to_clif.filter(|_| row.workload != "empty") {
        let rule = format!("x the run time of CLIF written by hand ({})", clif::TIER);
        return vec![verdict(rule, ratio, MOST_CLIF_RATIO)];
    }
    let (Some(budget), Some(fragments)) = (row.budget_cycles, row.fragments) else {
        if row.tier != floor::TIER {
            return Vec::new();
        }
        let rule = "instructions (the reference)".to_owned();
        return vec![verdict(rule, row.instructions as f64, row.reference_instructions as f64)];
    };
    let compile = row.compile_cycles_median;
    let Some(Budget { function, fragment, instruction }) = Budget::of(&row.tier) else { return Vec::new() };
    if row.workload == "empty" {
        let rule = "cycles to compile the empty function".to_owned();
        return vec![verdict(rule, compile, function)];
    }
    let mut verdicts = vec![verdict(
        format!(
            "cycles to compile ({function} + {fragment} x {fragments} fragments + {instruction} x min({}, 1.1 x {}) instructions)",
            row.instructions, row.reference_instructions
        ),
        compile,
        budget,
    )];
    if FLOOR_RATIO_ON.contains(&row.workload.as_str()) && row.tier == "one-pass" {
        verdicts.push(verdict(
            format!("x {}, beyond the empty function", floor::TIER),
            row.compile_ratio_to_floor.unwrap_or(f64::NAN),
            MOST_FLOOR_RATIO,
        ));
    }
    verdicts.push(verdict(
        "x the run time of the hand-allocated code".to_owned(),
        row.run_ratio_to_hand,
        MOST_RUN_RATIO,
    ));
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(workload: &str, tier: &str, fragments: Option<u32>) -> Row {
        Row {
            workload: workload.into(),
            tier: tier.into(),
            instructions: 98,
            bytes: 600,
            compile_cycles_min: 400.0,
            compile_cycles_median: 500.0,
            cycles_per_instruction: 5.1,
            run_cycles: 80.0,
            baseline_run_cycles: 90.0,
            hand_run_cycles: 80.0,
            run_ratio_to_hand: 1.06,
            run_ratio_to_clif: None,
            reference_instructions: 98,
            fragments,
            budget_cycles: fragments.map(|_| 1116.0),
            compile_ratio_to_floor: Some(2.4),
        }
    }

    #[test]
    fn a_tier_is_held_to_budget_floor_and_speed() {
        let verdicts = judge(&[row("W2", "one-pass", Some(1))]);
        let holds: Vec<bool> = verdicts.iter().map(Verdict::holds).collect();
        assert_eq!(holds, [true, true, false]);
        assert!(verdicts[2].to_string().starts_with("MISS"));
    }

    #[test]
    fn a_yardstick_is_held_to_its_instructions() {
        let verdicts = judge(&[row("W2", floor::TIER, None), row("W2", "floor-dynasm", None)]);
        assert_eq!(verdicts.len(), 1);
        assert!(verdicts[0].holds());
    }

    #[test]
    fn what_was_not_measured_does_not_hold() {
        let mut row = row("W3", "one-pass", Some(1));
        row.compile_ratio_to_floor = None;
        assert!(!judge(&[row])[1].holds());
    }
}
