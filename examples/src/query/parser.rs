//! From tokens to an [`Expr`], by precedence climbing.
//!
//! Cost: linear. Recursion and the depth of the tree are bounded by [`MAX_NESTING`] and [`MAX_DEPTH`], so that no text
//! overflows the stack, neither here nor where the tree is walked or dropped.

use super::ast::{Arithmetic, Binary, Expr, ExprKind, Place, Unary};
use super::lexer::{Token, TokenKind, lex};
use crate::text_error::TextError;

/// Deepest tree: operators one inside the other, as in a long chain of `||`.
pub const MAX_DEPTH: usize = 250;

/// Deepest nesting of parentheses and unary operators, which take more of the parser's own stack.
pub const MAX_NESTING: usize = 100;

/// Parses the whole of `text`.
///
/// # Errors
/// The first place where it is not an expression.
pub fn parse(text: &str) -> Result<Expr, TextError> {
    let mut parser = Parser { text, tokens: lex(text)?, next: 0, nesting: 0 };
    let expr = parser.binary(0)?;
    match parser.peek().kind {
        TokenKind::End => Ok(expr),
        _ => Err(parser.expected("an operator")),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// The last is [`TokenKind::End`].
    tokens: Vec<Token>,
    /// Index of the next token; stays at the last.
    next: usize,
    /// Parentheses and unary operators around the next token.
    nesting: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn advance(&mut self) -> Place {
        let place = self.peek().place.clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        place
    }

    fn refuse(&self, place: Place, message: String) -> TextError {
        TextError { text: self.text.to_owned(), place, message }
    }

    fn expected(&self, what: &str) -> TextError {
        let place = self.peek().place.clone();
        let found = match self.peek().kind {
            TokenKind::End => "the end".to_owned(),
            _ => format!("'{}'", self.text.chars().skip(place.start).take(place.len()).collect::<String>()),
        };
        self.refuse(place, format!("expected {what}, found {found}"))
    }

    fn node(&self, kind: ExprKind, place: Place) -> Result<Expr, TextError> {
        let depth = 1 + match &kind {
            ExprKind::Integer(_) | ExprKind::Bool(_) | ExprKind::Name(_) => 0,
            ExprKind::Unary(_, inner) => inner.depth,
            ExprKind::Binary(_, _, left, right) => left.depth.max(right.depth),
        };
        if depth > MAX_DEPTH {
            return Err(self.refuse(place, format!("more than {MAX_DEPTH} operators one inside the other")));
        }
        Ok(Expr { kind, place, depth })
    }

    /// Operands and the operators between them that bind tighter than `outer`.
    fn binary(&mut self, outer: u8) -> Result<Expr, TextError> {
        let mut left = self.unary()?;
        // Whether `left` is a comparison without parentheses around it.
        let mut compared = false;
        while let TokenKind::Operator(operator) = self.peek().kind {
            let precedence = operator.precedence();
            if precedence <= outer {
                break;
            }
            let compares = matches!(operator, Binary::Compare(_));
            if compared && compares {
                let place = self.peek().place.clone();
                return Err(
                    self.refuse(place, "comparisons do not chain, join them with '&&'; this is the second one,".into())
                );
            }
            compared = compares;
            let operator_place = self.advance();
            let right = self.binary(precedence)?;
            let place = left.place.start..right.place.end;
            left = self.node(ExprKind::Binary(operator, operator_place, Box::new(left), Box::new(right)), place)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, TextError> {
        let operator = match self.peek().kind {
            TokenKind::Not => Unary::Not,
            TokenKind::Operator(Binary::Arithmetic(Arithmetic::Sub)) => Unary::Negate,
            _ => return self.primary(),
        };
        let start = self.advance().start;
        if let (Unary::Negate, TokenKind::Integer(size)) = (operator, &self.peek().kind)
            && let Some(value) = 0_i64.checked_sub_unsigned(*size)
        {
            let place = start..self.advance().end;
            return self.node(ExprKind::Integer(value), place);
        }
        let inner = self.nested(start, Self::unary)?;
        let place = start..inner.place.end;
        self.node(ExprKind::Unary(operator, Box::new(inner)), place)
    }

    fn primary(&mut self) -> Result<Expr, TextError> {
        let kind = match &self.peek().kind {
            TokenKind::Integer(size) => match i64::try_from(*size) {
                Ok(value) => ExprKind::Integer(value),
                Err(_) => {
                    let place = self.peek().place.clone();
                    return Err(self.refuse(place, format!("this number is larger than {}", i64::MAX)));
                }
            },
            TokenKind::Name(name) => match name.as_str() {
                "true" => ExprKind::Bool(true),
                "false" => ExprKind::Bool(false),
                _ => ExprKind::Name(name.clone()),
            },
            TokenKind::Open => {
                let start = self.advance().start;
                let mut inner = self.nested(start, |parser| parser.binary(0))?;
                if self.peek().kind != TokenKind::Close {
                    let open = start + 1;
                    return Err(self.expected(&format!("')' for the '(' at column {open}")));
                }
                inner.place = start..self.advance().end;
                return Ok(inner);
            }
            _ => return Err(self.expected("a column, a number or '('")),
        };
        let place = self.advance();
        self.node(kind, place)
    }

    /// Parses something inside the parenthesis or unary operator at `start`.
    fn nested(
        &mut self,
        start: usize,
        inside: impl FnOnce(&mut Self) -> Result<Expr, TextError>,
    ) -> Result<Expr, TextError> {
        if self.nesting == MAX_NESTING {
            return Err(self.refuse(start..start + 1, format!("nested more than {MAX_NESTING} deep")));
        }
        self.nesting += 1;
        let result = inside(self);
        self.nesting -= 1;
        result
    }
}
