//! `dpf classify`.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use dpf_jit::{Classifier, Verdict};
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::error::Failure;
use crate::{capture, rules};

/// Packets between two steps of the progress bar.
const STEP: usize = 4096;

pub(crate) fn run(rules_file: &Path, capture_file: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let rules = rules::read(rules_file)?;
    let frames = capture::read(capture_file)?;
    let mut classifier = Classifier::new()?;
    let ids = rules::install(&mut classifier, &rules, rules_file)?;
    let bar = ProgressBar::new(frames.len() as u64);
    if !io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let all: Vec<&[u8]> = frames.iter().collect();
    let mut matched = 0;
    let mut time = std::time::Duration::ZERO;
    for some in all.chunks(STEP) {
        let start = Instant::now();
        let verdicts: Vec<Verdict> = some.iter().map(|frame| classifier.classify(frame)).collect();
        time += start.elapsed();
        for verdict in verdicts {
            match verdict {
                Verdict::Match(id) => {
                    matched += 1;
                    writeln!(out, "{}", ids[id.index()])?;
                }
                Verdict::Park(_) | Verdict::NoMatch => writeln!(out, "-1")?,
            }
        }
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    out.flush()?;
    let rate = all.len() as f64 / time.as_secs_f64().max(1e-9);
    let summary = format!(
        "{} packets, {matched} matched one of {} rules; {:.1} million packets per second",
        all.len(),
        rules.len(),
        rate / 1e6
    );
    // The verdicts are out; a summary that cannot be printed is no failure.
    let _ = writeln!(io::stderr(), "{summary}");
    Ok(())
}
