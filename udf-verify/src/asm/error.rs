//! What is wrong in a text.

use std::fmt;

/// What is wrong in a text, where, and what might be meant.
///
/// Displays as message, place, the line itself with a mark, and a suggestion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AsmError(Box<Details>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Details {
    message: String,
    line: u32,
    column: u32,
    text: String,
    help: Option<String>,
    unknown_constant: Option<String>,
}

impl AsmError {
    #[cold]
    pub(super) fn new(source: &str, (line, column): (u32, u32), message: impl Into<String>) -> AsmError {
        let text = source.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default().to_owned();
        AsmError(Box::new(Details { message: message.into(), line, column, text, help: None, unknown_constant: None }))
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> AsmError {
        self.0.help = Some(help.into());
        self
    }

    pub(super) fn of_unknown_constant(mut self, name: &str) -> AsmError {
        self.0.unknown_constant = Some(name.to_owned());
        self
    }

    /// Suggests the name nearest to `found`, if one is near.
    pub(super) fn nearest<'a>(self, found: &str, names: impl IntoIterator<Item = &'a str>) -> AsmError {
        let near = names.into_iter().map(|name| (strsim::damerau_levenshtein(found, name), name));
        match near.min().filter(|&(distance, _)| distance <= found.chars().count().div_ceil(3)) {
            Some((_, name)) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }

    pub(super) fn has_help(&self) -> bool {
        self.0.help.is_some()
    }

    /// What is wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.0.line
    }

    /// The character in the line, counted from 1.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.0.column
    }

    /// The constant that was given a value from outside but does not occur in the text, if that is what is wrong.
    #[must_use]
    pub fn unknown_constant(&self) -> Option<&str> {
        self.0.unknown_constant.as_deref()
    }

    /// What might be meant, if anything comes to mind.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { message, line, column, text, help, .. } = &*self.0;
        writeln!(f, "error: {message}")?;
        write_excerpt(f, *line, *column, text)?;
        if let Some(help) = help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for AsmError {}

/// A line of source with a mark below one of its characters, in the manner of rustc.
pub(crate) fn write_excerpt(f: &mut fmt::Formatter<'_>, line: u32, column: u32, text: &str) -> fmt::Result {
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    // A tab stays a tab, so that the mark stands below its character.
    let indent: String =
        text.chars().take(column.saturating_sub(1) as usize).map(|c| if c == '\t' { c } else { ' ' }).collect();
    writeln!(f, "{margin}--> line {line}, column {column}")?;
    writeln!(f, "{margin} |")?;
    writeln!(f, "{number} | {text}")?;
    write!(f, "{margin} | {indent}^")
}
