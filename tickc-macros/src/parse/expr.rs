//! Operators, by precedence climbing, and postfixes.

use proc_macro2::{Span, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{BinOp, Error, Ident, Lit as SynLit, Result, Token, Type, token};

use super::{capture, control, foreign, primary, undelimited, unexpected};
use crate::ast::*;

/// What stands around an expression, as far as it changes how it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere.
    Free,
    /// The head of an `if`, `while`, `match` or `for`, where `{` begins the body.
    Head,
}

/// How strongly an operator binds; from assignment up to `as`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precedence {
    Or,
    And,
    Compare,
    BitOr,
    BitXor,
    BitAnd,
    Shift,
    Sum,
    Product,
    Cast,
}

/// An operator between two operands.
enum Infix {
    Binary(BinaryOp),
    And,
    Or,
}

/// Parses an expression up to the first token that cannot continue it.
pub(super) fn parse(input: ParseStream) -> Result<Expr> {
    parse_in(input, Place::Free)
}

pub(super) fn parse_in(input: ParseStream, place: Place) -> Result<Expr> {
    let left = unary(input, place)?;
    rest_of(input, left, place)
}

/// Goes on after operators and postfixes have been seen to follow a block-like expression at the start of a statement.
pub(super) fn after_block(input: ParseStream, block: Expr) -> Result<Expr> {
    let left = postfix(input, block)?;
    rest_of(input, left, Place::Free)
}

/// Goes on after `left`: operators, then an assignment.
fn rest_of(input: ParseStream, left: Expr, place: Place) -> Result<Expr> {
    let left = climb(input, left, Precedence::Or, place)?;
    assignment(input, left, place)
}

fn assignment(input: ParseStream, left: Expr, place: Place) -> Result<Expr> {
    let op_span = input.span();
    let op = if input.peek(Token![=]) && !input.peek(Token![==]) && !input.peek(Token![=>]) {
        input.parse::<Token![=]>()?;
        None
    } else if let Some(op) = peek_compound(input) {
        input.parse::<BinOp>()?;
        Some(op)
    } else {
        return Ok(left);
    };
    let value = parse_in(input, place)?;
    let span = left.span;
    Ok(Expr { span, kind: ExprKind::Assign(Assign { target: Box::new(left), op, op_span, value: Box::new(value) }) })
}

fn peek_binop(input: ParseStream) -> Option<BinOp> {
    if input.is_empty() || input.peek(Token![=>]) { None } else { input.fork().parse().ok() }
}

fn peek_compound(input: ParseStream) -> Option<BinaryOp> {
    Some(match peek_binop(input)? {
        BinOp::AddAssign(_) => BinaryOp::Add,
        BinOp::SubAssign(_) => BinaryOp::Sub,
        BinOp::MulAssign(_) => BinaryOp::Mul,
        BinOp::DivAssign(_) => BinaryOp::Div,
        BinOp::RemAssign(_) => BinaryOp::Rem,
        BinOp::BitXorAssign(_) => BinaryOp::BitXor,
        BinOp::BitAndAssign(_) => BinaryOp::BitAnd,
        BinOp::BitOrAssign(_) => BinaryOp::BitOr,
        BinOp::ShlAssign(_) => BinaryOp::Shl,
        BinOp::ShrAssign(_) => BinaryOp::Shr,
        _ => return None,
    })
}

fn peek_infix(input: ParseStream) -> Option<(Infix, Precedence)> {
    use Precedence::*;
    let binary = |op, precedence| (Infix::Binary(op), precedence);
    Some(match peek_binop(input)? {
        BinOp::Add(_) => binary(BinaryOp::Add, Sum),
        BinOp::Sub(_) => binary(BinaryOp::Sub, Sum),
        BinOp::Mul(_) => binary(BinaryOp::Mul, Product),
        BinOp::Div(_) => binary(BinaryOp::Div, Product),
        BinOp::Rem(_) => binary(BinaryOp::Rem, Product),
        BinOp::BitXor(_) => binary(BinaryOp::BitXor, BitXor),
        BinOp::BitAnd(_) => binary(BinaryOp::BitAnd, BitAnd),
        BinOp::BitOr(_) => binary(BinaryOp::BitOr, BitOr),
        BinOp::Shl(_) => binary(BinaryOp::Shl, Shift),
        BinOp::Shr(_) => binary(BinaryOp::Shr, Shift),
        BinOp::Eq(_) => binary(BinaryOp::Eq, Compare),
        BinOp::Lt(_) => binary(BinaryOp::Lt, Compare),
        BinOp::Le(_) => binary(BinaryOp::Le, Compare),
        BinOp::Ne(_) => binary(BinaryOp::Ne, Compare),
        BinOp::Ge(_) => binary(BinaryOp::Ge, Compare),
        BinOp::Gt(_) => binary(BinaryOp::Gt, Compare),
        BinOp::And(_) => (Infix::And, And),
        BinOp::Or(_) => (Infix::Or, Or),
        _ => return None,
    })
}

/// Takes every operator that binds at least as strongly as `least`.
fn climb(input: ParseStream, mut left: Expr, least: Precedence, place: Place) -> Result<Expr> {
    loop {
        if input.peek(Token![as]) {
            input.parse::<Token![as]>()?;
            let ty = Type::without_plus(input)?;
            left = Expr { span: left.span, kind: ExprKind::Cast(Box::new(left), Box::new(ty)) };
            continue;
        }
        let Some((infix, precedence)) = peek_infix(input).filter(|&(_, precedence)| precedence >= least) else {
            return Ok(left);
        };
        let op_span = input.parse::<BinOp>()?.span();
        let right = unary(input, place)?;
        let right = climb(input, right, stronger(precedence), place)?;
        if precedence == Precedence::Compare && peek_infix(input).is_some_and(|(_, next)| next == Precedence::Compare) {
            return Err(Error::new(input.span(), "comparison operators cannot be chained"));
        }
        let (span, left_operand, right) = (left.span, Box::new(left), Box::new(right));
        let kind = match infix {
            Infix::Binary(op) => ExprKind::Binary(Binary { op, op_span, left: left_operand, right }),
            Infix::And => ExprKind::Logic(Logic { is_and: true, op_span, left: left_operand, right }),
            Infix::Or => ExprKind::Logic(Logic { is_and: false, op_span, left: left_operand, right }),
        };
        left = Expr { span, kind };
    }
}

fn stronger(precedence: Precedence) -> Precedence {
    use Precedence::*;
    match precedence {
        Or => And,
        And => Compare,
        Compare => BitOr,
        BitOr => BitXor,
        BitXor => BitAnd,
        BitAnd => Shift,
        Shift => Sum,
        Sum => Product,
        Product | Cast => Cast,
    }
}

/// Prefix operators, and what they stand before.
pub(super) fn unary(input: ParseStream, place: Place) -> Result<Expr> {
    if let Some(inner) = undelimited(input) {
        let whole = |input: ParseStream| control::maybe_range(input, parse(input)?, Place::Free);
        let grouped = whole.parse2(inner)?;
        return postfix(input, grouped);
    }
    let span = input.span();
    if input.peek(Token![-]) {
        input.parse::<Token![-]>()?;
        let operand = unary(input, place)?;
        return Ok(Expr { span, kind: negated(span, operand) });
    }
    if input.peek(Token![!]) {
        input.parse::<Token![!]>()?;
        let operand = Box::new(unary(input, place)?);
        return Ok(Expr { span, kind: ExprKind::Unary(UnaryOp::Not, span, operand) });
    }
    if input.peek(Token![*]) {
        input.parse::<Token![*]>()?;
        let pointer = Box::new(unary(input, place)?);
        return Ok(Expr { span, kind: ExprKind::Deref(pointer, Unsafety::Safe) });
    }
    if input.peek(Token![&&]) {
        return Err(foreign(span, "a reference to a reference is"));
    }
    if input.peek(Token![&]) {
        input.parse::<Token![&]>()?;
        if input.peek(Ident::peek_any)
            && input.fork().parse::<Ident>().is_ok_and(|word| word == "raw")
            && (input.peek2(Token![const]) || input.peek2(Token![mut]))
        {
            return Err(Error::new(
                span,
                "`&raw` is not part of the language of `tick!`; capture the pointer: `$(&raw const x)`",
            ));
        }
        let mutable = input.parse::<Option<Token![mut]>>()?.is_some();
        let operand = unary(input, place)?;
        let kind = match operand.kind {
            ExprKind::Slice(slice) if slice.by == SliceBy::Place => {
                let by = if mutable { SliceBy::Exclusive } else { SliceBy::Shared };
                ExprKind::Slice(Slice { by, ..slice })
            }
            _ => ExprKind::Ref(mutable, Box::new(operand)),
        };
        return Ok(Expr { span, kind });
    }
    let start = primary::parse(input, place)?;
    postfix(input, start)
}

/// `-5` is one literal, so that `-128i8` is in range.
fn negated(minus: Span, operand: Expr) -> ExprKind {
    match operand.kind {
        ExprKind::Lit(Lit { minus: None, token, kind: kind @ (LitKind::Int { .. } | LitKind::Float) }) => {
            ExprKind::Lit(Lit { minus: Some(minus), token, kind })
        }
        _ => ExprKind::Unary(UnaryOp::Neg, minus, Box::new(operand)),
    }
}

/// `.method(…)`, `.field`, `[index]`, `(args)`.
fn postfix(input: ParseStream, mut base: Expr) -> Result<Expr> {
    loop {
        let span = base.span;
        let kind = if input.peek(Token![.]) && !input.peek(Token![..]) {
            input.parse::<Token![.]>()?;
            member(input, base)?
        } else if input.peek(token::Bracket) {
            let content;
            let bracket = syn::bracketed!(content in input);
            if content.is_empty() {
                return Err(Error::new(bracket.span.join(), "expected an index"));
            }
            index(&content, base)?
        } else if input.peek(token::Paren) {
            let (paren, args) = arguments(input)?;
            ExprKind::Call(Call { callee: callee(base)?, paren, args, unsafety: Unsafety::Safe })
        } else if input.peek(Token![?]) {
            return Err(unexpected(input));
        } else {
            return Ok(base);
        };
        base = Expr { span, kind };
    }
}

/// What stands between the brackets of `base[…]`: an index or a range.
fn index(content: ParseStream, base: Expr) -> Result<ExprKind> {
    let starts_range = |content: ParseStream| content.peek(Token![..]) || content.peek(Token![..=]);
    let from = if starts_range(content) { None } else { Some(Box::new(parse(content)?)) };
    let base = Box::new(base);
    let inclusive = content.peek(Token![..=]);
    match from {
        Some(index) if !starts_range(content) => {
            super::at_end(content)?;
            return Ok(ExprKind::Index(base, index));
        }
        _ if inclusive => drop(content.parse::<Token![..=]>()?),
        _ => drop(content.parse::<Token![..]>()?),
    }
    let to = if content.is_empty() && !inclusive { None } else { Some(Box::new(parse(content)?)) };
    super::at_end(content)?;
    Ok(ExprKind::Slice(Slice { base, from, to, inclusive, by: SliceBy::Place }))
}

fn member(input: ParseStream, base: Expr) -> Result<ExprKind> {
    if input.peek(Token![await]) {
        return Err(foreign(input.span(), "`.await` is"));
    }
    if input.peek(SynLit) {
        return Err(Error::new(
            input.span(),
            "only the named fields of a record can be accessed in a quotation; write `$(…)` around a field of a Rust value",
        ));
    }
    let name: Ident = input.parse()?;
    if input.peek(Token![::]) {
        return Err(foreign(input.span(), "a generic argument of a method is"));
    }
    if !input.peek(token::Paren) {
        return Ok(ExprKind::Field(Box::new(base), name));
    }
    let (_, args) = arguments(input)?;
    Ok(ExprKind::Method(Method { receiver: Box::new(base), name, args, unsafety: Unsafety::Safe }))
}

fn arguments(input: ParseStream) -> Result<(Span, Vec<Expr>)> {
    let content;
    let paren = syn::parenthesized!(content in input);
    let mut args = Vec::new();
    while !content.is_empty() {
        args.push(parse(&content)?);
        if !content.is_empty() {
            if !content.peek(Token![,]) {
                return Err(unexpected(&content));
            }
            content.parse::<Token![,]>()?;
        }
    }
    Ok((paren.span.open(), args))
}

fn callee(base: Expr) -> Result<Callee> {
    let base = match capture::only_lift(base) {
        Ok(capture) => return Ok(Callee::Lifted(capture)),
        Err(base) => *base,
    };
    match base.kind {
        ExprKind::Const(path) => Ok(Callee::Path(path)),
        ExprKind::Name(name) => {
            let path = syn::Path::from(name.ident);
            Ok(Callee::Path(syn::ExprPath { attrs: Vec::new(), qself: None, path }))
        }
        ExprKind::Splice(_) => Err(Error::new(
            base.span,
            "a splice cannot be called; to splice what a Rust function returns write `@(function(…))`",
        )),
        _ => Err(Error::new(
            base.span,
            "only an `extern \"C\"` function by its path, `$function` and a quoted `fn` can be called",
        )),
    }
}

/// A literal of a number or a truth value.
pub(super) fn literal(input: ParseStream) -> Result<Lit> {
    let lit: SynLit = input.parse()?;
    let kind = match &lit {
        SynLit::Int(int) => LitKind::Int { zero: int.base10_digits() == "0" },
        SynLit::Byte(byte) => LitKind::Int { zero: byte.value() == 0 },
        SynLit::Float(_) => LitKind::Float,
        SynLit::Bool(_) => LitKind::Bool,
        SynLit::Char(_) => return Err(foreign(lit.span(), "a `char` literal is")),
        _ => return Err(foreign(lit.span(), "a string literal is")),
    };
    // A literal of syn is one token, or two when a macro made it with its sign.
    let mut tokens: Vec<TokenTree> = lit.to_token_stream().into_iter().collect();
    let token = tokens.pop().ok_or_else(|| Error::new(lit.span(), "expected a literal"))?;
    let minus = tokens.first().map(TokenTree::span);
    Ok(Lit { minus, token, kind })
}
