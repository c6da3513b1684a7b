//! Blocks and statements.

use syn::parse::{ParseStream, Parser};
use syn::{Error, Result, Token, Type, token};

use super::expr::{self, Place};
use super::{binder, control, foreign, primary, undelimited, unexpected};
use crate::ast::*;

/// `{ … }`
pub(super) fn parse(input: ParseStream) -> Result<Block> {
    if let Some(inner) = undelimited(input) {
        return parse.parse2(inner);
    }
    if !input.peek(token::Brace) {
        return Err(Error::new(input.span(), "expected a block `{ }`"));
    }
    let content;
    let brace = syn::braced!(content in input);
    let mut block = statements(&content)?;
    block.span = Some(brace.span.join());
    Ok(block)
}

fn statements(input: ParseStream) -> Result<Block> {
    let mut block = Block::default();
    while !input.is_empty() {
        if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
        } else if let Some(inner) = undelimited_let(input) {
            block.stmts.push(Stmt::Let(Box::new(local_without_semicolon.parse2(inner)?)));
            input.parse::<Option<Token![;]>>()?;
        } else if input.cursor().group(proc_macro2::Delimiter::None).is_none() && input.peek(Token![let]) {
            block.stmts.push(Stmt::Let(Box::new(local(input)?)));
        } else {
            refuse_item(input)?;
            expression_statement(input, &mut block)?;
        }
    }
    Ok(block)
}

/// A statement that `macro_rules!` matched as `$s:stmt`, when it is a `let`.
fn undelimited_let(input: ParseStream) -> Option<proc_macro2::TokenStream> {
    let (inner, _, _) = input.cursor().group(proc_macro2::Delimiter::None)?;
    inner.ident().filter(|(word, _)| word == "let")?;
    undelimited(input)
}

fn local(input: ParseStream) -> Result<Let> {
    let local = local_without_semicolon(input)?;
    if input.peek(Token![else]) {
        return Err(foreign(input.span(), "`let … else` is"));
    }
    if !input.peek(Token![;]) {
        return Err(if input.is_empty() { input.error("expected `;`") } else { unexpected(input) });
    }
    input.parse::<Token![;]>()?;
    Ok(local)
}

fn local_without_semicolon(input: ParseStream) -> Result<Let> {
    let start = input.parse::<Token![let]>()?.span;
    let name = binder(input, "a `let`")?;
    let ty = if input.parse::<Option<Token![:]>>()?.is_some() { Some(Type::without_plus(input)?) } else { None };
    if !input.peek(Token![=]) {
        return Err(Error::new(start, "a `let` of a quotation needs an initial value: `let name = value;`"));
    }
    input.parse::<Token![=]>()?;
    Ok(Let { name, ty, init: expr::parse(input)? })
}

/// An expression, and whether it needs no `;` to be a statement.
pub(super) fn expression(input: ParseStream) -> Result<(Expr, bool)> {
    if !block_like(input) {
        return Ok((expr::parse(input)?, false));
    }
    let start = if input.peek(token::Brace) {
        primary::braced(input)?
    } else {
        control::parse(input, Place::Free)?.ok_or_else(|| input.error("expected an expression"))?
    };
    if input.peek(Token![.]) && !input.peek(Token![..]) {
        Ok((expr::after_block(input, start)?, false))
    } else {
        Ok((start, true))
    }
}

/// An expression statement, or the tail of the block.
fn expression_statement(input: ParseStream, block: &mut Block) -> Result<()> {
    let (expr, ends_itself) = expression(input)?;
    if input.peek(Token![;]) {
        input.parse::<Token![;]>()?;
        block.stmts.push(Stmt::Expr(expr, true));
    } else if input.is_empty() {
        block.tail = Some(Box::new(expr));
    } else if ends_itself {
        block.stmts.push(Stmt::Expr(expr, false));
    } else {
        return Err(unexpected(input));
    }
    Ok(())
}

/// Whether an expression comes next that is a statement without a `;`.
fn block_like(input: ParseStream) -> bool {
    input.cursor().group(proc_macro2::Delimiter::None).is_none()
        && (input.peek(token::Brace)
            || input.peek(Token![if])
            || input.peek(Token![match])
            || input.peek(Token![while])
            || input.peek(Token![loop])
            || input.peek(Token![for])
            || input.peek(Token![unsafe])
            || input.peek(syn::Lifetime))
}

fn refuse_item(input: ParseStream) -> Result<()> {
    let item = input.peek(Token![fn])
        || input.peek(Token![struct])
        || input.peek(Token![enum])
        || input.peek(Token![impl])
        || input.peek(Token![trait])
        || input.peek(Token![mod])
        || input.peek(Token![use])
        || input.peek(Token![type])
        || input.peek(Token![static])
        || input.peek(Token![extern])
        || (input.peek(Token![const]) && !input.peek2(token::Brace));
    if item { Err(foreign(input.span(), "an item within a quotation is")) } else { Ok(()) }
}
