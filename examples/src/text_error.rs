//! A mistake in a text the user typed (a condition, a mask), shown with a caret under the place.

use std::fmt;
use std::ops::Range;

/// A message about some characters of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// The whole text.
    pub text: String,
    /// The characters meant, counted from 0 in `char`s; empty where something is missing.
    pub place: Range<usize>,
    /// What is wrong there.
    pub message: String,
}

impl TextError {
    /// Column of the first character meant, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.place.start + 1
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} at column {}", self.message, self.column())?;
        write!(f, "{}", Underlined { text: &self.text, place: &self.place })
    }
}

impl std::error::Error for TextError {}

/// Displays a text with carets under some of its characters.
pub struct Underlined<'a> {
    /// The whole text.
    pub text: &'a str,
    /// The characters to underline, counted from 0 in `char`s.
    pub place: &'a Range<usize>,
}

impl fmt::Display for Underlined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Tabs and line ends would move the caret away from its character.
        let line: String = self.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let carets = "^".repeat(self.place.len().max(1));
        write!(f, "\n    {line}\n    {:indent$}{carets}", "", indent = self.place.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caret_stands_under_the_place() {
        let error = TextError { text: "a\tbc".into(), place: 2..4, message: "no".into() };
        assert_eq!(error.to_string(), "no at column 3\n\n    a bc\n      ^^");
    }

    #[test]
    fn missing_text_gets_one_caret() {
        let error = TextError { text: "é".into(), place: 1..1, message: "no".into() };
        assert_eq!(error.to_string(), "no at column 2\n\n    é\n     ^");
    }
}
