//! `@`, `$` and `lift!`: captured Rust code.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Error, Ident, Result, Token, token};

use super::{foreign, peek_word, undelimited};
use crate::ast::*;

/// Whether `$` or `lift!` comes next.
pub(super) fn peek_lift(input: ParseStream) -> bool {
    let lift_macro = || {
        input.cursor().ident().is_some_and(|(word, _)| word == "lift")
            && input.peek2(Token![!])
            && !input.peek2(Token![!=])
    };
    input.peek(Token![$]) || lift_macro()
}

/// `@name`, `@(expr)`
pub(super) fn splice(input: ParseStream) -> Result<Expr> {
    let span = input.parse::<Token![@]>()?.span;
    Ok(Expr { span, kind: ExprKind::Splice(source(input, span, '@')?) })
}

/// `$name`, `$(expr)`, `lift!(expr)`
pub(super) fn lift(input: ParseStream) -> Result<Expr> {
    let span = input.span();
    let capture = if input.peek(Token![$]) {
        input.parse::<Token![$]>()?;
        source(input, span, '$')?
    } else {
        input.parse::<Ident>()?;
        input.parse::<Token![!]>()?;
        if !input.peek(token::Paren) {
            return Err(Error::new(span, "expected `lift!(expr)`"));
        }
        source(input, span, '$')?
    };
    Ok(Expr { span, kind: ExprKind::Lift(capture) })
}

fn source(input: ParseStream, sigil: Span, sign: char) -> Result<Capture> {
    let source = if let Some(inner) = undelimited(input) {
        rust(inner, sigil)?
    } else if input.peek(token::Paren) {
        let group = input.step(|cursor| match cursor.group(Delimiter::Parenthesis) {
            Some((inner, span, rest)) => Ok(((inner.token_stream(), span.join()), rest)),
            None => Err(cursor.error("expected `(`")),
        });
        let (tokens, span) = group?;
        rust(tokens, span)?
    } else if peek_word(input) {
        let ident = Ident::parse_any(input)?;
        if input.peek(Token![!]) && !input.peek(Token![!=]) {
            return Err(Error::new(
                ident.span(),
                format!("a macro call is captured in parentheses: `{sign}({ident}!(…))`"),
            ));
        }
        if input.peek(Token![::]) {
            return Err(Error::new(ident.span(), format!("a path is captured in parentheses: `{sign}({ident}::…)`")));
        }
        Source::Name(ident)
    } else {
        let advice = if sign == '@' { "splice" } else { "run-time constant" };
        return Err(Error::new(
            sigil,
            format!("expected a name or `( )` after `{sign}`: a {advice} is `{sign}name` or `{sign}(expr)`"),
        ));
    };
    Ok(Capture { source, slot: Slot::Unresolved, in_unsafe: None })
}

/// Captured tokens; a single name counts as `@name`, not `@(name)`, as the two mean the same.
fn rust(tokens: TokenStream, outer: Span) -> Result<Source> {
    let mut trees = tokens.clone().into_iter();
    match (trees.next(), trees.next()) {
        (None, _) => Err(Error::new(outer, "expected a Rust expression between the parentheses")),
        (Some(TokenTree::Ident(ident)), None) if ident != "true" && ident != "false" => Ok(Source::Name(ident)),
        (Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => rust(group.stream(), outer),
        _ => Ok(Source::Tokens(tokens, outer)),
    }
}

/// The capture of an expression that is nothing but `$…`.
pub(super) fn only_lift(expr: Expr) -> std::result::Result<Capture, Box<Expr>> {
    match expr.kind {
        ExprKind::Lift(capture) => Ok(capture),
        _ => Err(Box::new(expr)),
    }
}

/// The error for `name!(…)` in a quotation.
pub(super) fn macro_call(name: &Ident) -> Error {
    if name == "tick" {
        Error::new(name.span(), "a quotation cannot contain `tick!`; splice it: `@(tick!(…))`")
    } else {
        foreign(name.span(), &format!("the macro call `{name}!` is"))
    }
}
