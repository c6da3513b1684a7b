//! The trie as text.

use std::fmt::Write;

use super::FilterSet;
use super::tree::{Branch, Step};
use crate::filter::Atom;

impl FilterSet {
    /// One line a step, indented by what comes before it; an empty line between sections.
    pub(crate) fn dump(&self) -> String {
        let mut text = String::new();
        for (at, section) in self.sections().enumerate() {
            if at > 0 {
                text.push('\n');
            }
            self.dump_branches(&section.tree.root, 0, &mut text);
        }
        text
    }

    fn dump_branches(&self, branches: &[Branch], depth: usize, text: &mut String) {
        for branch in branches {
            let line = match branch.step {
                Step::Eq { field, mask, value } => Atom::Eq { field, mask, value }.to_string(),
                Step::Range { field, mask, low, high } => Atom::Range { field, mask, low, high }.to_string(),
                Step::Shift { field, mask, left } => Atom::Shift { field, mask, left }.to_string(),
                Step::Need { end } => format!("at least {end} bytes"),
                Step::Leaf { group } => self.dump_group(group),
            };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{:1$}{line}", "", 2 * depth);
            self.dump_branches(&branch.then, depth + 1, text);
        }
    }

    fn dump_group(&self, number: u32) -> String {
        let group = self.group(number);
        if let Some(id) = group.only.and_then(|only| crate::FilterId::from_raw(only.id)) {
            return format!("filter {id}");
        }
        let shape = self.shape(group.shape);
        let fields: Vec<String> = group
            .layout
            .keyed()
            .map(|atom| match shape[usize::from(atom)] {
                Atom::Eq { field, mask, .. } if mask == field.ones() => field.to_string(),
                Atom::Eq { field, mask, .. } => format!("{field} & {mask:#x}"),
                _ => "channel".into(),
            })
            .collect();
        let slots: Vec<String> = group.tables.iter().map(|table| table.index().capacity().to_string()).collect();
        format!("{} filters by ({}), hashed into {} slots", group.len, fields.join(", "), slots.join(" and "))
    }
}
