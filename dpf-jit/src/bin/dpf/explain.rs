//! `dpf explain`.

use std::io::Write;
use std::path::Path;

use dpf_jit::Classifier;

use crate::error::Failure;
use crate::rules;

pub(crate) fn run(rules_file: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let rules = rules::read(rules_file)?;
    let mut classifier = Classifier::new()?;
    rules::install(&mut classifier, &rules, rules_file)?;
    writeln!(out, "{} rules\n", rules.len())?;
    writeln!(out, "{}", classifier.dump_trie())?;
    write!(out, "{}", classifier.disassemble())?;
    Ok(())
}
