//! Text to lines of tokens.

use super::AsmError;

/// What a token is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A name: mnemonic, register, constant, type, macro.
    Word(String),
    /// `.kind` and the like, without the dot.
    Directive(String),
    /// `\x` in a macro, without the backslash.
    Parameter(String),
    Number(u64),
    Symbol(&'static str),
}

/// A token and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Line and column, counted from 1.
    pub(super) place: (u32, u32),
}

impl Token {
    /// The token as it is written.
    pub(super) fn text(&self) -> String {
        match &self.kind {
            Kind::Word(word) => word.clone(),
            Kind::Directive(name) => format!(".{name}"),
            Kind::Parameter(name) => format!("\\{name}"),
            Kind::Number(n) => n.to_string(),
            Kind::Symbol(symbol) => (*symbol).to_owned(),
        }
    }

    pub(super) fn is(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol(symbol_of(symbol).unwrap_or(""))
    }
}

/// Longer ones first, so that `<<` is not two of `<`.
const SYMBOLS: [&str; 22] = [
    "<<", ">>", "==", "!=", "<=", ">=", "<", ">", "=", ",", "[", "]", "(", ")", "+", "-", "*", "/", "%", "&", "|", "^",
];

fn symbol_of(text: &str) -> Option<&'static str> {
    SYMBOLS.into_iter().find(|symbol| text.starts_with(symbol))
}

/// The lines that have tokens.
pub(super) fn lines(text: &str) -> Result<Vec<Vec<Token>>, AsmError> {
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let tokens = tokens(text, number, line)?;
        if !tokens.is_empty() {
            lines.push(tokens);
        }
    }
    Ok(lines)
}

fn tokens(text: &str, number: u32, line: &str) -> Result<Vec<Token>, AsmError> {
    let mut tokens = Vec::new();
    let (mut rest, mut column) = (line, 1);
    while let Some(first) = rest.chars().next() {
        let place = (number, column);
        if first == ';' {
            break;
        }
        let (kind, len) = if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
            column += 1;
            continue;
        } else if first.is_ascii_digit() {
            let len = word_len(rest);
            (Kind::Number(parse_number(text, place, &rest[..len])?), len)
        } else if word_len(rest) > 0 {
            let len = word_len(rest);
            (Kind::Word(rest[..len].to_owned()), len)
        } else if matches!(first, '.' | '\\') && word_len(&rest[1..]) > 0 {
            let len = 1 + word_len(&rest[1..]);
            let name = rest[1..len].to_owned();
            (if first == '.' { Kind::Directive(name) } else { Kind::Parameter(name) }, len)
        } else if let Some(symbol) = symbol_of(rest) {
            (Kind::Symbol(symbol), symbol.len())
        } else {
            let error = AsmError::new(text, place, format!("the character {first:?} has no meaning here"));
            return Err(if matches!(first, '#' | '/') { error.help("a comment starts with `;`") } else { error });
        };
        tokens.push(Token { kind, place });
        rest = &rest[len..];
        column += len as u32; // tokens are ASCII
    }
    Ok(tokens)
}

fn word_len(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
}

fn parse_number(text: &str, place: (u32, u32), digits: &str) -> Result<u64, AsmError> {
    let plain = digits.replace('_', "");
    let value = match plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => plain.parse(),
    };
    value.map_err(|error| {
        use std::num::IntErrorKind::PosOverflow;
        let error_text = if *error.kind() == PosOverflow { "does not fit 64 bits" } else { "is not a number" };
        AsmError::new(text, place, format!("`{digits}` {error_text}"))
            .help("numbers are decimal or 0x… and at most 0xffff_ffff_ffff_ffff")
    })
}
