//! `if`, `match` and jumps.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use super::value::literal;
use super::{Expander, ReturnType, at, block_result_span, in_parens, placed, result_span};
use crate::analyze::LoopKind;
use crate::analyze::never::block_diverges;
use crate::ast::*;

impl Expander<'_> {
    pub(super) fn if_value(&self, i: &If, span: Span) -> TokenStream {
        // Without an `else` the first arm must be of type `()`: saying so first puts the error there.
        let ty = i.otherwise.is_none().then(|| quote_spanned!(at(span)=> ::<()>));
        let (stmts, end) = self.if_parts(i, span, ty);
        quote_spanned!(at(span)=> { #stmts #end })
    }

    /// An `if` that does not come to an end.
    pub(super) fn if_effect(&self, i: &If, span: Span) -> TokenStream {
        let (stmts, end) = self.if_parts(i, span, Some(quote_spanned!(at(span)=> ::<()>)));
        quote_spanned!(at(span)=> { #stmts let __v = #end; __e.discard(__v); })
    }

    fn if_parts(&self, i: &If, if_span: Span, ty: Option<TokenStream>) -> (TokenStream, TokenStream) {
        let span = at(if_span);
        let cond = self.value(&i.cond);
        let cond_name = Ident::new("__c", at(result_span(&i.cond)));
        let then = if block_diverges(&i.then, self.analysis) {
            let stmts = self.block_effect(&i.then);
            quote_spanned!(span=> #stmts __e.then_never(&mut __i);)
        } else {
            let value = self.block_value(&i.then, if_span);
            let name = Ident::new("__v", at(block_result_span(&i.then).unwrap_or(if_span)));
            quote_spanned!(span=> let __v = #value; __e.then_end(&mut __i, #name);)
        };
        let otherwise = i.otherwise.as_deref().map(|otherwise| match otherwise {
            otherwise if self.diverges(otherwise) => {
                let stmts = self.effect(otherwise);
                quote_spanned!(span=> #stmts __e.else_never(&mut __i);)
            }
            otherwise => {
                let value = self.value(otherwise);
                let name = Ident::new("__v", at(result_span(otherwise)));
                quote_spanned!(span=> let __v = #value; __e.else_end(&mut __i, #name);)
            }
        });
        let otherwise = otherwise.map(|otherwise| quote_spanned!(span=> if __e.else_begin(&mut __i) { #otherwise }));
        let stmts = quote_spanned! {span=>
            let __c = #cond;
            let mut __i = __e.if_ #ty (#cond_name);
            if __i.then_live() { #then }
            #otherwise
        };
        (stmts, quote_spanned!(span=> __e.if_end(__i)))
    }

    pub(super) fn match_value(&self, m: &Match, span: Span) -> TokenStream {
        let (stmts, end) = self.match_parts(m, span, None);
        quote_spanned!(at(span)=> { #stmts #end })
    }

    /// A `match` that does not come to an end.
    pub(super) fn match_effect(&self, m: &Match, span: Span) -> TokenStream {
        let (stmts, end) = self.match_parts(m, span, Some(quote_spanned!(at(span)=> ::<_, ()>)));
        quote_spanned!(at(span)=> { #stmts let __v = #end; __e.discard(__v); })
    }

    fn match_parts(&self, m: &Match, span: Span, types: Option<TokenStream>) -> (TokenStream, TokenStream) {
        let span = at(span);
        let scrutinee = self.value(&m.scrutinee);
        let name = Ident::new("__v", at(result_span(&m.scrutinee)));
        let patterns = m.arms.iter().filter_map(|arm| match &arm.pattern {
            ArmPattern::Values(values) => {
                let span = at(arm.span);
                let values = values.iter().map(|value| value_pattern(value, span));
                Some(quote_spanned!(span=> &[#(#values),*]))
            }
            _ => None,
        });
        let count = m.arms.iter().filter(|arm| matches!(arm.pattern, ArmPattern::Values(_))).count();
        let arms = m.arms.iter().enumerate().map(|(k, arm)| self.arm(arm, k));
        let stmts = quote_spanned! {span=>
            let __v = #scrutinee;
            let __v = __e.match_value(#name);
            let __patterns: [&[::tickc::__private::Pat<_>]; #count] = [#(#patterns),*];
            let mut __m = __e.match_begin #types (__v, &__patterns);
            #(#arms)*
        };
        (stmts, quote_spanned!(span=> __e.match_end(__m)))
    }

    fn arm(&self, arm: &Arm, k: usize) -> TokenStream {
        let span = at(arm.span);
        let body = if self.diverges(&arm.body) {
            let stmts = self.effect(&arm.body);
            quote_spanned!(span=> #stmts __e.arm_never(&mut __m);)
        } else {
            let value = self.value(&arm.body);
            let name = Ident::new("__v", at(result_span(&arm.body)));
            quote_spanned!(span=> let __v = #value; __e.arm_end(&mut __m, #name);)
        };
        match &arm.pattern {
            ArmPattern::Values(_) => quote_spanned!(span=> if __e.arm(&mut __m, __patterns[#k]) { #body }),
            ArmPattern::Bind(Binder::Name { ident, .. }) => {
                let arm_bind = placed("arm_bind", ident.span(), quote_spanned!(span=> &mut __m));
                let binding = quote_spanned!(span=> let (__live, #ident) = __e.#arm_bind;);
                quote_spanned!(span=> { #binding if __live { #body } })
            }
            ArmPattern::Bind(Binder::Ignored) | ArmPattern::Default => {
                quote_spanned!(span=> if __e.arm_default(&mut __m) { #body })
            }
        }
    }

    pub(super) fn static_if_value(&self, i: &StaticIf, span: Span) -> TokenStream {
        let Some(otherwise) = &i.otherwise else {
            let stmts = self.static_if_effect(i, span);
            return quote_spanned!(at(span)=> { #stmts __e.unit() });
        };
        let otherwise_value = self.value(otherwise);
        let then = if block_diverges(&i.then, self.analysis) {
            let stmts = self.block_effect(&i.then);
            quote_spanned!(at(span)=> #stmts __e.never())
        } else {
            self.block_value(&i.then, span)
        };
        let (cond, span) = (self.condition(&i.cond), at(span));
        quote_spanned!(span=> { #cond if __c { #then } else { #otherwise_value } })
    }

    /// An `if $` of type `()`, or one that does not come to an end.
    pub(super) fn static_if_effect(&self, i: &StaticIf, span: Span) -> TokenStream {
        let then = self.block_effect(&i.then);
        let otherwise = i.otherwise.as_ref().map(|otherwise| {
            let stmts = self.unit_statement(otherwise);
            quote_spanned!(at(span)=> else { #stmts })
        });
        let (cond, span) = (self.condition(&i.cond), at(span));
        quote_spanned!(span=> { #cond if __c { #then } #otherwise })
    }

    /// Binds the condition of an `if $`.
    fn condition(&self, cond: &Capture) -> TokenStream {
        let span = at(cond.source.span());
        let value = match (cond.slot, &cond.source) {
            (Slot::Hoisted(k), _) => {
                let hoisted = self.hoisted(k, span);
                quote_spanned!(span=> #hoisted.0)
            }
            (_, Source::Name(ident)) => quote_spanned!(span=> #ident),
            (_, Source::Tokens(tokens, _)) => tokens.clone(),
        };
        quote_spanned!(span=> let __c: bool = #value;)
    }

    /// A `match $`, each arm made of its body by `expand`.
    pub(super) fn static_match(
        &self,
        m: &StaticMatch,
        span: Span,
        expand: &dyn Fn(&Expr) -> TokenStream,
    ) -> TokenStream {
        let value_span = at(m.value.source.span());
        let value = match m.value.slot {
            Slot::Hoisted(k) => {
                let hoisted = self.hoisted(k, value_span);
                let reference = (!self.is_borrowed(&m.value.source)).then(|| quote_spanned!(value_span=> &));
                quote_spanned!(value_span=> #reference #hoisted.0)
            }
            Slot::Deferred | Slot::Unresolved => {
                let value = in_parens(&m.value.source);
                quote_spanned!(value_span=> &#value)
            }
        };
        let arms = m.arms.iter().map(|arm| {
            let pattern = &arm.pattern;
            let guard = arm.guard.as_ref().map(|guard| quote_spanned!(at(arm.body.span)=> if #guard));
            let body = expand(&arm.body);
            quote_spanned!(at(arm.body.span)=> #pattern #guard => #body,)
        });
        quote_spanned!(at(span)=> match #value { #(#arms)* })
    }

    pub(super) fn return_(&self, value: Option<&Expr>, span: Span) -> TokenStream {
        let result = at(value.map_or(span, result_span));
        let value = value.map_or_else(|| quote_spanned!(at(span)=> __e.unit()), |value| self.value(value));
        let reference = quote_spanned!(result=> &__v);
        let span = at(span);
        match &self.returns {
            ReturnType::Known(ty) => {
                quote_spanned!(span=> { let __v: ::tickc::__private::Val<#ty> = #value; __e.ret(__v); })
            }
            ReturnType::Inferred => {
                quote_spanned!(span=> { let __v = #value; let _ = __r.unwrap_or(#reference); __e.ret(__v); })
            }
            ReturnType::Unknown => quote_spanned!(span=> { let __v = #value; __e.ret(__v); }),
        }
    }

    pub(super) fn break_(&self, jump: &Jump, value: Option<&Expr>, span: Span) -> TokenStream {
        let (Some(id), span) = (jump.to, at(span)) else { return TokenStream::new() };
        let state = self.loop_state(id, span);
        match value {
            Some(value) => {
                let name = Ident::new("__v", at(result_span(value)));
                let value = self.value(value);
                quote_spanned!(span=> { let __v = #value; __e.break_value(&mut #state, #name); })
            }
            None => quote_spanned!(span=> __e.break_(&mut #state);),
        }
    }

    pub(super) fn continue_(&self, jump: &Jump, span: Span) -> TokenStream {
        let (Some(id), span) = (jump.to, at(span)) else { return TokenStream::new() };
        let state = self.loop_state(id, span);
        match self.analysis.loop_info(id).kind {
            // An iteration of an unrolled loop that is continued is a loop of one round: see `unrolled`.
            LoopKind::Unrolled => quote_spanned!(span=> __e.break_(&mut #state);),
            _ => quote_spanned!(span=> __e.continue_(&mut #state);),
        }
    }
}

fn value_pattern(pattern: &ValuePattern, span: Span) -> TokenStream {
    // The type is that of the value matched.
    let pattern = match pattern {
        ValuePattern::One(value) => {
            let value = pattern_const(value, span);
            quote_spanned!(span=> ::tickc::__private::Pat::one(#value))
        }
        ValuePattern::Range(low, high, inclusive) => {
            let (low, high) = (pattern_const(low, span), pattern_const(high, span));
            let method = Ident::new(if *inclusive { "range" } else { "range_exclusive" }, span);
            quote_spanned!(span=> ::tickc::__private::Pat::#method(#low, #high))
        }
        ValuePattern::From(low) => {
            let low = pattern_const(low, span);
            quote_spanned!(span=> ::tickc::__private::Pat::from(#low))
        }
        ValuePattern::To(high, inclusive) => {
            let high = pattern_const(high, span);
            // As in Rust `..MIN`, which would match nothing, is an error.
            let high = if *inclusive { high } else { quote_spanned!(span=> const { #high - 1 }) };
            quote_spanned!(span=> ::tickc::__private::Pat::to(#high))
        }
    };
    quote_spanned!(span=> #pattern.of(&__v))
}

fn pattern_const(value: &PatternConst, span: Span) -> TokenStream {
    match value {
        PatternConst::Lit(lit) => literal(lit),
        PatternConst::Path(path) => quote_spanned!(span=> const { #path }),
    }
}
