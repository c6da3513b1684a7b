//! Several operands, evaluated in order before one operation consumes them.

use proc_macro2::{Ident, TokenStream};
use quote::quote_spanned;

use super::{Expander, at, result_span};
use crate::analyze::effects::{self, Effects};
use crate::ast::*;

/// Operands bound to names.
pub(super) struct Operands {
    /// The `let`s.
    pub lets: TokenStream,
    /// The names, each located at its operand.
    pub names: Vec<Ident>,
}

/// Whether an operation takes operands of type `bool`, which must not stay pending conditions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Numbers,
    Bools,
}

impl Expander<'_> {
    /// Evaluates `exprs` from left to right, keeping each as it is while the later ones are evaluated.
    pub(super) fn operands(&self, exprs: &[&Expr], takes: Takes) -> Operands {
        let mut operands = Operands { lets: TokenStream::new(), names: Vec::new() };
        for (i, expr) in exprs.iter().enumerate() {
            let name = Ident::new(&format!("__a{i}"), at(result_span(expr)));
            let value = if i == 0 { self.value(expr) } else { self.as_operand(|| self.value(expr)) };
            operands.lets.extend(quote_spanned!(at(expr.span)=> let #name = #value;));
            let later = &exprs[i + 1..];
            let changes = effects::effects_of_all(later.iter().copied());
            let waits = takes == Takes::Bools && later.iter().any(|later| !effects::is_constant(later));
            operands.lets.extend(self.keep(&name, expr, &changes, waits));
            operands.names.push(name);
        }
        operands
    }

    /// Pins or holds the value `name` of `expr` where evaluating what comes next, with the effects `later`, might spoil it.
    pub(super) fn keep(&self, name: &Ident, expr: &Expr, later: &Effects, waits: bool) -> TokenStream {
        let span = at(expr.span);
        let pins = effects::needs_pin(expr, later, self.analysis);
        if pins && later.certain {
            return quote_spanned!(span=> let #name = __e.pin(#name););
        }
        let mut kept = TokenStream::new();
        if waits && effects::may_pend(expr) {
            kept.extend(quote_spanned!(span=> let #name = __e.hold(#name);));
        }
        if pins && !later.splices.is_empty() {
            let spliced = later.splices.iter().map(|&k| {
                let capture = self.hoisted(k, span);
                quote_spanned!(span=> ::tickc::__private::effects(&#capture))
            });
            kept.extend(quote_spanned!(span=> let #name = __e.pin_if(#name, #(#spliced)|*);));
        }
        kept
    }
}
