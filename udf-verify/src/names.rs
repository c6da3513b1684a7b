//! Names and lines: the section behind the code that messages are made of. It is no part of the function: nothing that is
//! decided depends on it, and whatever is wrong in it is ignored.
//!
//! ```text
//!   tag "udfnames", length u32 of what follows
//!   lines u32, each: slot u32, line u32, column u32     types u32, each: length u32, UTF-8     source: length u32, UTF-8
//! ```
#![forbid(unsafe_code)]

const TAG: [u8; 8] = *b"udfnames";

/// Where the instructions and types of a function come from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    /// (slot, line, column) of each instruction, ascending; lines and columns count from 1.
    pub lines: Vec<(u32, u32, u32)>,
    /// Names of the types, in the order of the table.
    pub types: Vec<String>,
    /// The text that was assembled.
    pub source: String,
}

impl Names {
    /// Line and column of the instruction at a slot.
    #[must_use]
    pub fn line_of(&self, slot: u32) -> Option<(u32, u32)> {
        let index = self.lines.binary_search_by_key(&slot, |&(slot, _, _)| slot).ok()?;
        let (_, line, column) = self.lines[index];
        Some((line, column))
    }

    /// A line of the source, counted from 1.
    #[must_use]
    pub fn source_line(&self, line: u32) -> Option<&str> {
        self.source.lines().nth((line as usize).checked_sub(1)?)
    }

    /// The section as bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let number = |out: &mut Vec<u8>, n: usize| out.extend((n as u32).to_le_bytes());
        number(&mut out, self.lines.len());
        for &(slot, line, column) in &self.lines {
            for n in [slot, line, column] {
                number(&mut out, n as usize);
            }
        }
        number(&mut out, self.types.len());
        for text in self.types.iter().chain([&self.source]) {
            number(&mut out, text.len());
            out.extend(text.as_bytes());
        }
        let mut section = TAG.to_vec();
        number(&mut section, out.len());
        section.extend(out);
        section
    }

    /// What can be made of a section: nothing, if anything in it is wrong.
    #[must_use]
    pub(crate) fn decode(section: &[u8]) -> Names {
        let read = || {
            let mut rest = section.get(TAG.len() + 4..)?;
            let mut names = Names::default();
            for _ in 0..number(&mut rest)? {
                names.lines.push((number(&mut rest)?, number(&mut rest)?, number(&mut rest)?));
            }
            for _ in 0..number(&mut rest)? {
                names.types.push(text(&mut rest)?);
            }
            names.source = text(&mut rest)?;
            let ascending = names.lines.is_sorted_by_key(|&(slot, _, _)| slot);
            (ascending && rest.is_empty()).then_some(names)
        };
        read().unwrap_or_default()
    }
}

/// Whether the section is as long as it says.
pub(crate) fn has_exact_length(section: &[u8]) -> bool {
    let Some((tag, mut rest)) = section.split_at_checked(TAG.len()) else { return false };
    tag == TAG && number(&mut rest).is_some_and(|len| len as usize == rest.len())
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u32::from_le_bytes(*bytes))
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let len = number(rest)? as usize;
    let (bytes, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    String::from_utf8(bytes.to_vec()).ok()
}
