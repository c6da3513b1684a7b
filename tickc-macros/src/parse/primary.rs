//! What an expression starts with, and the parts of Rust that are not part of the language, each refused by its name.

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Error, ExprPath, Ident, Lit as SynLit, Result, Token, token};

use super::expr::{self, Place};
use super::{block, capture, control, foreign, unexpected};
use crate::ast::*;

/// Parses an operand without its prefixes and postfixes.
pub(super) fn parse(input: ParseStream, place: Place) -> Result<Expr> {
    let span = input.span();
    if input.peek(Token![@]) {
        return capture::splice(input);
    }
    if capture::peek_lift(input) {
        return capture::lift(input);
    }
    if input.peek(SynLit) {
        return Ok(Expr { span, kind: ExprKind::Lit(expr::literal(input)?) });
    }
    if input.peek(token::Paren) {
        return parenthesized(input, span);
    }
    if input.peek(token::Brace) {
        return braced(input);
    }
    if let Some(expr) = control::parse(input, place)? {
        return Ok(expr);
    }
    refuse(input)?;
    if input.peek(Ident) || starts_path(input) {
        return path(input, place);
    }
    if input.is_empty() {
        return Err(input.error("expected an expression"));
    }
    Err(Error::new(span, "expected an expression"))
}

/// `(expr)`, or `(a..b)`, which only the head of a `for` accepts.
fn parenthesized(input: ParseStream, span: Span) -> Result<Expr> {
    let content;
    syn::parenthesized!(content in input);
    if content.is_empty() {
        return Ok(Expr { span, kind: ExprKind::Block(Block::default()) });
    }
    let inner = expr::parse(&content)?;
    let inner = control::maybe_range(&content, inner, Place::Free)?;
    if content.peek(Token![,]) {
        return Err(foreign(content.span(), "a tuple is"));
    }
    super::at_end(&content)?;
    Ok(Expr { span, kind: inner.kind })
}

/// `{ … }`
pub(super) fn braced(input: ParseStream) -> Result<Expr> {
    let span = input.span();
    Ok(Expr { span, kind: ExprKind::Block(block::parse(input)?) })
}

fn starts_path(input: ParseStream) -> bool {
    input.peek(Token![::])
        || input.peek(Token![<])
        || input.peek(Token![Self])
        || input.peek(Token![self])
        || input.peek(Token![super])
        || input.peek(Token![crate])
}

fn path(input: ParseStream, place: Place) -> Result<Expr> {
    let span = input.span();
    let path: ExprPath = input.parse()?;
    if input.peek(Token![!]) && !input.peek(Token![!=]) {
        let name = path.path.segments.last().map(|segment| &segment.ident);
        return Err(name.map_or_else(|| unexpected(input), capture::macro_call));
    }
    if place == Place::Free && input.peek(token::Brace) {
        return Err(foreign(span, "a struct literal is"));
    }
    let kind = match path.path.get_ident() {
        Some(ident) if path.qself.is_none() && ident == "self" => {
            return Err(Error::new(
                span,
                "`self` is a Rust value: capture what you need of it with `$(self.…)` or `@(self.…)`",
            ));
        }
        Some(ident) if path.qself.is_none() => {
            ExprKind::Name(Name { ident: ident.clone(), mention: MentionId(0), to: Referent::Unresolved })
        }
        _ => ExprKind::Const(path),
    };
    Ok(Expr { span, kind })
}

/// Fails if a part of Rust comes next that quotations do not have.
fn refuse(input: ParseStream) -> Result<()> {
    let what = if input.peek(Token![|]) || input.peek(Token![||]) || input.peek(Token![move]) {
        "a closure within a quotation is"
    } else if input.peek(Token![async]) {
        "`async` is"
    } else if input.peek(token::Bracket) {
        "an array expression is"
    } else if input.peek(Token![..]) || input.peek(Token![..=]) {
        return Err(unexpected(input));
    } else if input.peek(Token![let]) {
        "`let` in a condition is"
    } else if input.peek(Token![const]) {
        "a `const` block is"
    } else if input.peek(Token![static]) {
        "`static` is"
    } else if input.peek(Token![yield]) {
        "`yield` is"
    } else if input.peek(Token![#]) {
        "an attribute is"
    } else {
        return Ok(());
    };
    Err(foreign(input.span(), what))
}
