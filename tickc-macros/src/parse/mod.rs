//! Tokens to tree: a recursive-descent parser with Rust's grammar and precedence, and `@` and `$` as two more primaries.
//!
//! - [`expr`]: operators by precedence climbing, postfixes.
//! - [`primary`]: what an expression starts with; and the parts of Rust that are not part of the language, by name.
//! - [`block`]: blocks, statements, `let`.
//! - [`control`]: `if`, `match`, loops, jumps.
//! - [`capture`]: `@`, `$` and `lift!`, the ways out of the language into ordinary Rust.
//!
//! Fragments that a `macro_rules!` macro has matched (`$e:expr`) arrive in groups without delimiters. The cursor of syn steps
//! through these silently, which would lose their precedence; so every place that can start an expression looks for one first
//! ([`undelimited`]) and parses its inside as if it stood in parentheses.

mod block;
mod capture;
mod control;
mod expr;
mod primary;
#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::discouraged::Speculative;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, Ident, Result, Token, Type, token};

use crate::ast::*;

/// The most parameters a quoted function may have.
const MAX_PARAMS: usize = 12;

/// Parses what stands between the parentheses of `tick!( )`.
pub(crate) fn quotation(tokens: TokenStream) -> Result<Quotation> {
    parse_quotation.parse2(tokens)
}

fn parse_quotation(input: ParseStream) -> Result<Quotation> {
    let whole = input.fork();
    if let Some(inner) = undelimited(&whole)
        && whole.is_empty()
    {
        input.advance_to(&whole);
        return quotation(inner);
    }
    if input.is_empty() {
        return Err(input.error("expected an expression, `|…| …` or `fn name(…) …`"));
    }
    let by_move = input.parse()?;
    let form = if input.peek(Token![fn]) {
        Form::Function(Box::new(function(input)?))
    } else if input.peek(Token![|]) || input.peek(Token![||]) {
        Form::Function(Box::new(closure(input)?))
    } else {
        Form::Fragment(expr::parse(input)?)
    };
    at_end(input)?;
    Ok(Quotation { by_move, form })
}

/// `|a: A, mut b: B| -> R { … }`, `|a: A| expr`
fn closure(input: ParseStream) -> Result<Function> {
    let mut params = Vec::new();
    if input.parse::<Option<Token![||]>>()?.is_none() {
        input.parse::<Token![|]>()?;
        while !input.peek(Token![|]) {
            params.push(param(input)?);
            if !input.peek(Token![|]) {
                input.parse::<Token![,]>()?;
            }
        }
        input.parse::<Token![|]>()?;
    }
    check_params(&params)?;
    if input.peek(Token![->]) {
        input.parse::<Token![->]>()?;
        let returns = Returns::Type(Box::new(Type::without_plus(input)?));
        if !input.peek(token::Brace) {
            return Err(input.error("expected `{`: a closure with a return type has a block as its body"));
        }
        let body = primary::braced(input)?;
        return Ok(Function { name: None, params, returns, body });
    }
    Ok(Function { name: None, params, returns: Returns::Inferred, body: expr::parse(input)? })
}

/// `fn name(a: A) -> R { … }`
fn function(input: ParseStream) -> Result<Function> {
    input.parse::<Token![fn]>()?;
    let name: Ident = input.parse()?;
    if input.peek(Token![<]) {
        return Err(input.error("a quoted `fn` cannot be generic; the Rust function around it can"));
    }
    let content;
    let paren = syn::parenthesized!(content in input);
    let params: Vec<Param> = Punctuated::<_, Token![,]>::parse_terminated_with(&content, param)?.into_iter().collect();
    check_params(&params)?;
    let returns = if input.peek(Token![->]) {
        input.parse::<Token![->]>()?;
        Type::without_plus(input)?
    } else {
        let mut unit = syn::TypeTuple { paren_token: token::Paren::default(), elems: Punctuated::new() };
        unit.paren_token.span = paren.span;
        Type::Tuple(unit)
    };
    if !input.peek(token::Brace) {
        return Err(input.error("expected the function's body in `{ }`"));
    }
    let body = primary::braced(input)?;
    Ok(Function { name: Some(name), params, returns: Returns::Type(Box::new(returns)), body })
}

fn param(input: ParseStream) -> Result<Param> {
    let start = input.span();
    let name = binder(input, "a parameter")?;
    if !input.peek(Token![:]) {
        return Err(Error::new(start, "a parameter of a quotation needs a type: `name: Type`"));
    }
    input.parse::<Token![:]>()?;
    Ok(Param { name, ty: Type::without_plus(input)? })
}

fn check_params(params: &[Param]) -> Result<()> {
    let excess = params.get(MAX_PARAMS).map(|param| &param.ty);
    excess.map_or(Ok(()), |ty| {
        Err(Error::new_spanned(ty, format!("a quoted function has at most {MAX_PARAMS} parameters")))
    })
}

/// `name`, `mut name` or `_`.
fn binder(input: ParseStream, what: &str) -> Result<Binder> {
    let refused = |span| {
        Err(Error::new(span, format!("{what} of a quotation binds `name`, `mut name` or `_`, no other pattern")))
    };
    let start = input.span();
    if input.peek(Token![_]) {
        input.parse::<Token![_]>()?;
        return Ok(Binder::Ignored);
    }
    let mutable = input.parse::<Option<Token![mut]>>()?.is_some();
    if !input.peek(Ident) || input.peek2(Token![::]) || input.peek2(token::Paren) || input.peek2(Token![@]) {
        return refused(start);
    }
    Ok(Binder::Name { ident: input.parse()?, mutable, id: None })
}

/// Whether an identifier comes next, keywords like `self` among them.
fn peek_word(input: ParseStream) -> bool {
    input.peek(Ident::peek_any)
}

/// If a group without delimiters comes next, passes it and returns its tokens.
fn undelimited(input: ParseStream) -> Option<TokenStream> {
    input.cursor().group(Delimiter::None)?;
    let step = input.step(|cursor| match cursor.group(Delimiter::None) {
        Some((inner, _, rest)) => Ok((inner.token_stream(), rest)),
        None => Err(cursor.error("expected a group")),
    });
    step.ok()
}

fn at_end(input: ParseStream) -> Result<()> {
    if input.is_empty() { Ok(()) } else { Err(unexpected(input)) }
}

/// The error for a token that cannot continue an expression; names what was probably meant.
fn unexpected(input: ParseStream) -> Error {
    let message = if input.peek(Token![..]) || input.peek(Token![..=]) {
        "a range stands only in the head of a `for`"
    } else if input.peek(Token![?]) {
        "`?` is not part of the language of `tick!`; Rust code in `@( )` and `$( )` may use it"
    } else if input.peek(Token![=>]) {
        "unexpected `=>`"
    } else if input.peek(Token![,]) {
        "unexpected `,`: a quotation is one expression; tuples are not part of the language of `tick!`"
    } else {
        "unexpected token: an operator, `;` or the end was expected"
    };
    Error::new(input.span(), message)
}

/// The error for a part of Rust that quotations do not have.
fn foreign(span: Span, what: &str) -> Error {
    Error::new(span, format!("{what} not part of the language of `tick!`"))
}
