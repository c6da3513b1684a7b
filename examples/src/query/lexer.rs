//! From characters to tokens.

use super::ast::{Arithmetic, Binary, Comparison, Place};
use crate::text_error::TextError;

/// A token and its characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it stands.
    pub place: Place,
}

/// The kinds of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Digits, with `_` between them. Up to 2⁶⁴ - 1, because 2⁶³ may follow a minus.
    Integer(u64),
    /// A letter or `_`, then letters, digits and `_`.
    Name(String),
    /// An operator with two operands; `-` is also one with one.
    Operator(Binary),
    /// `!`
    Not,
    /// `(`
    Open,
    /// `)`
    Close,
    /// The end of the text; always the last token.
    End,
}

/// The tokens of `text`.
///
/// # Errors
/// A character or a number that is no token.
pub fn lex(text: &str) -> Result<Vec<Token>, TextError> {
    let refuse = |place: Place, message: String| TextError { text: text.to_owned(), place, message };
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(&first) = chars.get(start) {
        let second = chars.get(start + 1).copied();
        let run = |part: fn(char) -> bool| chars[start..].iter().take_while(|&&c| part(c)).count();
        let (kind, len) = if first.is_whitespace() {
            start += 1;
            continue;
        } else if first.is_ascii_digit() {
            let len = run(|c| c.is_alphanumeric() || c == '_' || c == '.');
            let digits: String = chars[start..start + len].iter().filter(|&&c| c != '_').collect();
            let place = start..start + len;
            if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Err(refuse(place, format!("'{digits}' is not a whole number,")));
            }
            match digits.parse() {
                Ok(value) => (TokenKind::Integer(value), len),
                Err(_) => {
                    return Err(refuse(place, "this number does not fit into 64 bits,".into()));
                }
            }
        } else if first.is_alphabetic() || first == '_' {
            let len = run(|c| c.is_alphanumeric() || c == '_');
            (TokenKind::Name(chars[start..start + len].iter().collect()), len)
        } else {
            symbol(first, second).map_err(|message| refuse(start..start + 1, message))?
        };
        tokens.push(Token { kind, place: start..start + len });
        start += len;
    }
    tokens.push(Token { kind: TokenKind::End, place: start..start });
    Ok(tokens)
}

/// The token that begins with `first` and its length.
fn symbol(first: char, second: Option<char>) -> Result<(TokenKind, usize), String> {
    let arithmetic = |operator| (TokenKind::Operator(Binary::Arithmetic(operator)), 1);
    let compare = |operator, len| (TokenKind::Operator(Binary::Compare(operator)), len);
    Ok(match (first, second) {
        ('(', _) => (TokenKind::Open, 1),
        (')', _) => (TokenKind::Close, 1),
        ('+', _) => arithmetic(Arithmetic::Add),
        ('-', _) => arithmetic(Arithmetic::Sub),
        ('*', _) => arithmetic(Arithmetic::Mul),
        ('/', _) => arithmetic(Arithmetic::Div),
        ('%', _) => arithmetic(Arithmetic::Rem),
        ('=', Some('=')) => compare(Comparison::Eq, 2),
        ('!', Some('=')) => compare(Comparison::Ne, 2),
        ('<', Some('=')) => compare(Comparison::Le, 2),
        ('>', Some('=')) => compare(Comparison::Ge, 2),
        ('<', _) => compare(Comparison::Lt, 1),
        ('>', _) => compare(Comparison::Gt, 1),
        ('&', Some('&')) => (TokenKind::Operator(Binary::And), 2),
        ('|', Some('|')) => (TokenKind::Operator(Binary::Or), 2),
        ('!', _) => (TokenKind::Not, 1),
        ('=' | '&' | '|', _) => {
            return Err(format!("a single '{first}' means nothing here, '{first}{first}' may be meant,"));
        }
        _ => return Err(format!("{first:?} means nothing here,")),
    })
}
