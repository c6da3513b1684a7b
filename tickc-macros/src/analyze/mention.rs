//! Which names captured Rust code mentions.
//!
//! The tokens are not parsed: a name counts as mentioned wherever it could refer to a variable. A name too many only defers an
//! evaluation that could have been hoisted (a closure's parameter of the same name does that).

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// The names that `tokens` may mention as variables.
pub(crate) fn names(tokens: &TokenStream) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(tokens.clone(), &mut found);
    found
}

fn collect(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is_punct = |at: Option<usize>, sign: char| match at.and_then(|at| tokens.get(at)) {
        Some(TokenTree::Punct(punct)) => punct.as_char() == sign,
        _ => false,
    };
    for (i, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => collect(group.stream(), found),
            TokenTree::Ident(ident) => {
                let before = i.checked_sub(1);
                let twice_before = i.checked_sub(2);
                // `.field` and `.method()`, but not the end of a range
                let member = is_punct(before, '.') && !is_punct(twice_before, '.');
                // `path::segment` on either side, and `field: value` or `name: Type`
                let segment = is_punct(before, ':') && is_punct(twice_before, ':') || is_punct(Some(i + 1), ':');
                let lifetime = is_punct(before, '\'');
                let macro_name = is_punct(Some(i + 1), '!') && is_group(tokens.get(i + 2));
                if !(member || segment || lifetime || macro_name) {
                    found.insert(plain(&ident.to_string()));
                }
            }
            TokenTree::Literal(literal) => format_arguments(&literal.to_string(), found),
            TokenTree::Punct(_) => {}
        }
    }
}

fn is_group(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(group)) if group.delimiter() != Delimiter::None)
}

/// A name without the `r#` of a raw identifier.
pub(crate) fn plain(name: &str) -> String {
    name.strip_prefix("r#").unwrap_or(name).to_owned()
}

/// The names that a string would mention as a format string: `{name}`, `{name:…}`.
fn format_arguments(literal: &str, found: &mut BTreeSet<String>) {
    if !literal.contains('"') {
        return;
    }
    for part in literal.split('{').skip(1) {
        let name: String = part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let ends = part[name.len()..].starts_with(['}', ':']);
        if ends && !name.is_empty() {
            found.insert(name);
        }
    }
}

/// Whether `tokens` are a place: a path, and fields, indexes and dereferences of one.
pub(crate) fn is_place(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter().peekable();
    while tokens.next_if(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == '*')).is_some() {}
    match tokens.next() {
        Some(TokenTree::Ident(_)) => {}
        Some(TokenTree::Group(group)) if matches!(group.delimiter(), Delimiter::Parenthesis | Delimiter::None) => {
            if !is_place(&group.stream()) {
                return false;
            }
        }
        _ => return false,
    }
    while let Some(token) = tokens.next() {
        let goes_on = match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Bracket,
            TokenTree::Punct(dot) if dot.as_char() == '.' => {
                matches!(tokens.next(), Some(TokenTree::Ident(_) | TokenTree::Literal(_)))
            }
            TokenTree::Punct(colon) if colon.as_char() == ':' && colon.spacing() == Spacing::Joint => {
                tokens.next();
                matches!(tokens.next(), Some(TokenTree::Ident(_)))
            }
            _ => false,
        };
        if !goes_on {
            return false;
        }
    }
    true
}
