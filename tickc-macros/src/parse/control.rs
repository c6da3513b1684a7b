//! `if`, `match`, loops and jumps, each dynamic or, where `$` says so, decided by the program.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::parse::ParseStream;
use syn::visit::Visit;
use syn::{Error, ExprPath, Ident, Lifetime, Lit as SynLit, Pat, Result, Token, token};

use super::expr::{self, Place};
use super::{binder, block, capture, foreign, primary, unexpected};
use crate::ast::*;

const UNNUMBERED: LoopId = LoopId(usize::MAX);

/// Parses a construct that starts with a keyword or a label, if one comes next.
pub(super) fn parse(input: ParseStream, place: Place) -> Result<Option<Expr>> {
    let span = input.span();
    let kind = if input.peek(Token![if]) {
        if_(input)?
    } else if input.peek(Token![match]) {
        match_(input)?
    } else if input.peek(Token![unsafe]) {
        let token = input.parse()?;
        ExprKind::Unsafe(UnsafeBlock { token, block: block::parse(input)?, used: UnsafeUse::default() })
    } else if input.peek(Lifetime) {
        let label: Lifetime = input.parse()?;
        input.parse::<Token![:]>()?;
        if input.peek(token::Brace) {
            return Err(foreign(label.apostrophe, "a labelled block is"));
        }
        loop_(input, Some(label.ident))?
            .ok_or_else(|| Error::new(input.span(), "expected `while`, `loop` or `for` after a label"))?
    } else if let Some(kind) = loop_(input, None)? {
        kind
    } else if let Some(kind) = jump(input, place)? {
        kind
    } else {
        return Ok(None);
    };
    Ok(Some(Expr { span, kind }))
}

fn if_(input: ParseStream) -> Result<ExprKind> {
    input.parse::<Token![if]>()?;
    if input.peek(Token![let]) {
        return Err(foreign(input.span(), "`if let` is"));
    }
    let cond = expr::parse_in(input, Place::Head)?;
    let then = block::parse(input)?;
    let otherwise = if input.peek(Token![else]) {
        input.parse::<Token![else]>()?;
        let span = input.span();
        let otherwise = if input.peek(Token![if]) { Expr { span, kind: if_(input)? } } else { primary::braced(input)? };
        Some(Box::new(otherwise))
    } else {
        None
    };
    Ok(match capture::only_lift(cond) {
        Ok(cond) => ExprKind::StaticIf(StaticIf { cond, then, otherwise }),
        Err(cond) => ExprKind::If(If { cond, then, otherwise }),
    })
}

fn match_(input: ParseStream) -> Result<ExprKind> {
    let token: Token![match] = input.parse()?;
    let scrutinee = expr::parse_in(input, Place::Head)?;
    if !input.peek(token::Brace) {
        return Err(unexpected(input));
    }
    let content;
    syn::braced!(content in input);
    match capture::only_lift(scrutinee) {
        Ok(value) => {
            let mut arms = Vec::new();
            while !content.is_empty() {
                arms.push(static_arm(&content)?);
            }
            Ok(ExprKind::StaticMatch(StaticMatch { value, arms }))
        }
        Err(scrutinee) => {
            let arms = arms(&content, token.span)?;
            Ok(ExprKind::Match(Match { scrutinee, arms }))
        }
    }
}

/// The body of an arm and the comma after it.
fn arm_body(input: ParseStream) -> Result<Expr> {
    input.parse::<Token![=>]>()?;
    let (body, ends_itself) = block::expression(input)?;
    if !input.is_empty() && input.parse::<Option<Token![,]>>()?.is_none() && !ends_itself {
        return Err(Error::new(input.span(), "expected `,` after an arm"));
    }
    Ok(body)
}

fn arms(input: ParseStream, keyword: Span) -> Result<Vec<Arm>> {
    let mut arms = Vec::new();
    while !input.is_empty() {
        let span = input.span();
        let pattern = arm_pattern(input)?;
        if input.peek(Token![if]) {
            return Err(foreign(input.span(), "a guard of a dynamic `match` is"));
        }
        let body = arm_body(input)?;
        if !input.is_empty() && !matches!(pattern, ArmPattern::Values(_)) {
            return Err(Error::new(
                input.span(),
                "unreachable arm: `_` or a name must be the last arm of a dynamic `match`",
            ));
        }
        arms.push(Arm { span, pattern, body });
    }
    let last = arms.last().map(|arm| (arm.span, matches!(arm.pattern, ArmPattern::Values(_))));
    match last {
        Some((_, false)) => Ok(arms),
        Some((span, true)) => {
            Err(Error::new(span, "non-exhaustive: the last arm of a dynamic `match` must be `_` or a name"))
        }
        None => Err(Error::new(keyword, "non-exhaustive: the last arm of a dynamic `match` must be `_` or a name")),
    }
}

fn arm_pattern(input: ParseStream) -> Result<ArmPattern> {
    input.parse::<Option<Token![|]>>()?;
    if input.peek(Token![_]) || input.peek(Token![mut]) {
        return arm_binder(input);
    }
    // As in Rust a name by itself may be a constant or bind; here its case tells, as rustc's lints would have it.
    if input.peek(Ident) && !input.peek2(Token![::]) && !is_constant_name(&input.fork().parse::<Ident>()?) {
        return arm_binder(input);
    }
    let mut values = vec![value_pattern(input)?];
    while input.peek(Token![|]) {
        input.parse::<Token![|]>()?;
        values.push(value_pattern(input)?);
    }
    Ok(ArmPattern::Values(values))
}

fn arm_binder(input: ParseStream) -> Result<ArmPattern> {
    let pattern = match binder(input, "an arm")? {
        Binder::Ignored => ArmPattern::Default,
        name => ArmPattern::Bind(name),
    };
    if input.peek(Token![|]) {
        return Err(Error::new(input.span(), "`_` or a name cannot be one of several patterns"));
    }
    Ok(pattern)
}

/// `FOO`, `Foo`
fn is_constant_name(ident: &Ident) -> bool {
    ident.to_string().starts_with(|c: char| c.is_uppercase())
}

fn value_pattern(input: ParseStream) -> Result<ValuePattern> {
    if input.peek(Token![..=]) {
        input.parse::<Token![..=]>()?;
        return Ok(ValuePattern::To(pattern_const(input)?, true));
    }
    if input.peek(Token![..]) {
        input.parse::<Token![..]>()?;
        return Ok(ValuePattern::To(pattern_const(input)?, false));
    }
    let low = pattern_const(input)?;
    if input.peek(Token![..=]) {
        input.parse::<Token![..=]>()?;
        return Ok(ValuePattern::Range(low, pattern_const(input)?, true));
    }
    if input.peek(Token![..]) {
        input.parse::<Token![..]>()?;
        let open = input.is_empty() || input.peek(Token![=>]) || input.peek(Token![|]) || input.peek(Token![if]);
        return if open {
            Ok(ValuePattern::From(low))
        } else {
            Ok(ValuePattern::Range(low, pattern_const(input)?, false))
        };
    }
    Ok(ValuePattern::One(low))
}

fn pattern_const(input: ParseStream) -> Result<PatternConst> {
    let span = input.span();
    if input.peek(Token![-]) && input.peek2(SynLit) {
        input.parse::<Token![-]>()?;
        return Ok(PatternConst::Lit(Lit { minus: Some(span), ..expr::literal(input)? }));
    }
    if input.peek(SynLit) {
        return Ok(PatternConst::Lit(expr::literal(input)?));
    }
    if capture::peek_lift(input) {
        return Err(Error::new(span, "a run-time constant is no pattern of a dynamic `match`; compare with `==`"));
    }
    let refused = "a pattern of a dynamic `match` is an integer, a constant, a range, `_` or a name";
    let path: ExprPath = input.parse().map_err(|_| Error::new(span, refused))?;
    if input.peek(token::Paren) || input.peek(token::Brace) || input.peek(Token![@]) {
        return Err(Error::new(span, refused));
    }
    Ok(PatternConst::Path(path))
}

fn static_arm(input: ParseStream) -> Result<StaticArm> {
    let (pattern, names) = rust_pattern(input)?;
    let guard = if input.peek(Token![if]) {
        input.parse::<Token![if]>()?;
        let mut guard = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![=>]) {
            input.parse::<proc_macro2::TokenTree>()?.to_tokens(&mut guard);
        }
        Some(guard)
    } else {
        None
    };
    Ok(StaticArm { pattern, names, guard, body: arm_body(input)? })
}

/// Any pattern of Rust, and the names it binds.
fn rust_pattern(input: ParseStream) -> Result<(TokenStream, Vec<Ident>)> {
    #[derive(Default)]
    struct Names(Vec<Ident>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, pattern: &'ast syn::PatIdent) {
            let unit_like = pattern.subpat.is_none() && pattern.by_ref.is_none() && pattern.mutability.is_none();
            if !(unit_like && is_constant_name(&pattern.ident)) && self.0.iter().all(|name| *name != pattern.ident) {
                self.0.push(pattern.ident.clone());
            }
            syn::visit::visit_pat_ident(self, pattern);
        }
    }
    let pattern = Pat::parse_multi_with_leading_vert(input)?;
    let mut names = Names::default();
    names.visit_pat(&pattern);
    Ok((pattern.into_token_stream(), names.0))
}

fn loop_(input: ParseStream, label: Option<Ident>) -> Result<Option<ExprKind>> {
    if input.peek(Token![while]) {
        input.parse::<Token![while]>()?;
        if input.peek(Token![let]) {
            return Err(foreign(input.span(), "`while let` is"));
        }
        let cond = Box::new(expr::parse_in(input, Place::Head)?);
        Ok(Some(ExprKind::While(While { label, id: UNNUMBERED, cond, body: block::parse(input)? })))
    } else if input.peek(Token![loop]) {
        input.parse::<Token![loop]>()?;
        Ok(Some(ExprKind::Loop(Loop { label, id: UNNUMBERED, body: block::parse(input)? })))
    } else if input.peek(Token![for]) {
        for_(input, label).map(Some)
    } else {
        Ok(None)
    }
}

fn for_(input: ParseStream, label: Option<Ident>) -> Result<ExprKind> {
    input.parse::<Token![for]>()?;
    let pattern_start = input.fork();
    let (pattern, names) = rust_pattern(input)?;
    input.parse::<Token![in]>()?;
    let start = input.span();
    if input.cursor().ident().is_some_and(|(word, _)| word == "unroll") && input.peek2(token::Paren) {
        let (factor, range) = unroll(input)?;
        let name = binder(&pattern_start, "a dynamic `for`")?;
        let (unroll, body) = (Some(Box::new(factor)), block::parse(input)?);
        return Ok(ExprKind::For(For { label, id: UNNUMBERED, unroll, name, range, body }));
    }
    let head = expr::parse_in(input, Place::Head)?;
    let head = maybe_range(input, head, Place::Head)?;
    let body = block::parse(input)?;
    match capture::only_lift(head) {
        Ok(iterable) => Ok(ExprKind::Unrolled(Unrolled { label, id: UNNUMBERED, pattern, names, iterable, body })),
        Err(head) => match head.kind {
            ExprKind::Range(range) => {
                let name = binder(&pattern_start, "a dynamic `for`")?;
                Ok(ExprKind::For(For { label, id: UNNUMBERED, unroll: None, name, range, body }))
            }
            _ => Err(Error::new(
                start,
                "a dynamic `for` runs over a range `a..b`; to unroll a loop over a Rust iterable write `for x in $(iterable)`",
            )),
        },
    }
}

/// `unroll(factor, a..b)`
fn unroll(input: ParseStream) -> Result<(Expr, Range)> {
    let span = input.parse::<Ident>()?.span();
    let content;
    syn::parenthesized!(content in input);
    let usage = |at| Error::new(at, "`unroll` takes a factor and a range: `for i in unroll($n, a..b)`");
    let factor = expr::parse(&content)?;
    if !matches!(factor.kind, ExprKind::Lit(_) | ExprKind::Lift(_) | ExprKind::Const(_)) {
        return Err(Error::new(factor.span, "the factor of `unroll` is a constant: a literal or `$n`"));
    }
    content.parse::<Token![,]>().map_err(|_| usage(span))?;
    let from = expr::parse(&content).map_err(|_| usage(span))?;
    let range = maybe_range(&content, from, Place::Free)?;
    super::at_end(&content)?;
    match range.kind {
        ExprKind::Range(range) => Ok((factor, range)),
        _ => Err(usage(range.span)),
    }
}

/// Makes a range of `from` if `..` or `..=` follows.
pub(super) fn maybe_range(input: ParseStream, from: Expr, place: Place) -> Result<Expr> {
    let inclusive = if input.peek(Token![..=]) {
        input.parse::<Token![..=]>()?;
        true
    } else if input.peek(Token![..]) {
        input.parse::<Token![..]>()?;
        false
    } else {
        return Ok(from);
    };
    if input.is_empty() || input.peek(token::Brace) {
        return Err(Error::new(from.span, "the range of a dynamic `for` needs an end; write `loop` for one without"));
    }
    let to = Box::new(expr::parse_in(input, place)?);
    Ok(Expr { span: from.span, kind: ExprKind::Range(Range { from: Box::new(from), to, inclusive }) })
}

fn jump(input: ParseStream, place: Place) -> Result<Option<ExprKind>> {
    if input.peek(Token![return]) {
        input.parse::<Token![return]>()?;
        Ok(Some(ExprKind::Return(operand(input, place)?)))
    } else if input.peek(Token![break]) {
        input.parse::<Token![break]>()?;
        let target = target(input)?;
        Ok(Some(ExprKind::Break(target, operand(input, place)?)))
    } else if input.peek(Token![continue]) {
        input.parse::<Token![continue]>()?;
        Ok(Some(ExprKind::Continue(target(input)?)))
    } else {
        Ok(None)
    }
}

fn target(input: ParseStream) -> Result<Jump> {
    let label = if input.peek(Lifetime) { Some(input.parse::<Lifetime>()?.ident) } else { None };
    Ok(Jump { label, to: None })
}

/// The value of a `return` or `break`, if it has one.
fn operand(input: ParseStream, place: Place) -> Result<Option<Box<Expr>>> {
    let none = input.is_empty()
        || input.peek(Token![;])
        || input.peek(Token![,])
        || input.peek(Token![=>])
        || (place == Place::Head && input.peek(token::Brace));
    if none { Ok(None) } else { expr::parse_in(input, place).map(|value| Some(Box::new(value))) }
}
