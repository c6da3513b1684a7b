//! Loops.
//!
//! The state of each dynamic loop is a Rust local with a number, as jumps from loops within it name it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;

use super::operand::Takes;
use super::{Expander, at, in_parens, placed, result_span};
use crate::analyze::effects::is_constant;
use crate::ast::*;

impl Expander<'_> {
    /// The local that holds the state of a loop.
    pub(super) fn loop_state(&self, id: LoopId, span: Span) -> Ident {
        Ident::new(&format!("__loop{}", id.0), span)
    }

    pub(super) fn while_(&self, w: &While, span: Span) -> TokenStream {
        let span = at(span);
        let state = self.loop_state(w.id, span);
        let body = self.block_effect(&w.body);
        let cond = self.value(&w.cond);
        let name = Ident::new("__c", at(result_span(&w.cond)));
        // The condition stands at the end, where a round that goes on costs one jump.
        quote_spanned! {span=> {
            let mut #state = __e.while_begin();
            #body
            __e.while_cond(&mut #state);
            let __c = #cond;
            __e.while_end(#state, #name);
        }}
    }

    /// A `loop` that a `break` leaves.
    pub(super) fn loop_value(&self, l: &Loop, span: Span) -> TokenStream {
        let span = at(span);
        let stmts = self.loop_parts(l, span);
        let state = self.loop_state(l.id, span);
        quote_spanned!(span=> { #stmts __e.loop_end(#state) })
    }

    /// A `loop` that no `break` leaves.
    pub(super) fn endless(&self, l: &Loop, span: Span) -> TokenStream {
        let span = at(span);
        let stmts = self.loop_parts(l, span);
        let state = self.loop_state(l.id, span);
        quote_spanned!(span=> { #stmts let __v = __e.loop_end(#state); __e.discard(__v); })
    }

    fn loop_parts(&self, l: &Loop, span: Span) -> TokenStream {
        let info = self.analysis.loop_info(l.id);
        let state = self.loop_state(l.id, span);
        let mutable = (info.breaks || info.breaks_with_value || info.continues).then(|| quote_spanned!(span=> mut));
        let ty = (!info.breaks_with_value).then(|| quote_spanned!(span=> ::<()>));
        let body = self.block_effect(&l.body);
        quote_spanned!(span=> let #mutable #state = __e.loop_begin #ty (); #body)
    }

    pub(super) fn for_(&self, l: &For, span: Span) -> TokenStream {
        let span = at(span);
        let state = self.loop_state(l.id, span);
        let variable = Ident::new(&format!("__var{}", l.id.0), span);
        let operands = self.operands(&[&l.range.from, &l.range.to], Takes::Numbers);
        let (mut lets, bounds) = (operands.lets, operands.names);
        // The bound is read in every round, but evaluated once.
        if !self.is_fixed(&l.range.to) {
            let bound = &bounds[1];
            lets.extend(quote_spanned!(span=> let #bound = __e.pin(#bound);));
        }
        let inclusive = l.range.inclusive;
        let body = self.block_effect(&l.body);
        if let Some(factor) = &l.unroll {
            let factor = self.value(factor);
            let body = self.copy_of(&l.name, &variable, body, span);
            return quote_spanned! {span=> {
                #lets
                let __factor = #factor;
                let (mut #state, mut __unroll) = __e.unroll_begin(#(#bounds,)* #inclusive, __factor);
                while let ::core::option::Option::Some(#variable) = __e.unroll_copy(&mut #state, &mut __unroll) {
                    ::tickc::__private::round(#variable, |#variable| -> ::tickc::__private::Round {
                        #body
                        __e.unroll_copy_end(&mut #state, &mut __unroll);
                        ::tickc::__private::Round::done()
                    });
                }
                __e.unroll_end(#state, __unroll);
            }};
        }
        let body = match &l.name {
            Binder::Ignored => body,
            Binder::Name { ident, mutable: false, id } if id.is_some_and(|id| !self.analysis.binding(id).escapes) => {
                quote_spanned!(span=> let #ident = #variable; #body)
            }
            Binder::Name { ident, mutable: false, .. } => {
                let var = placed("var", ident.span(), quote_spanned!(span=> #variable));
                quote_spanned!(span=> let #ident = __e.#var; #body)
            }
            // Assigning to it must not change how often the loop runs.
            Binder::Name { ident, mutable: true, id } => {
                let escapes = id.is_none_or(|id| self.analysis.binding(id).escapes);
                let declare = if escapes { "let_" } else { "let_home" };
                let declare = placed(declare, ident.span(), quote_spanned!(span=> __v));
                quote_spanned! {span=> {
                    let __s = __e.scope();
                    let __v = __e.get(#variable);
                    let #ident = __e.#declare;
                    #body
                    __e.end_scope_unit(__s);
                }}
            }
        };
        quote_spanned! {span=> {
            #lets
            let (mut #state, #variable) = __e.for_begin(#(#bounds,)* #inclusive);
            #body
            __e.for_continue_point(&mut #state);
            __e.for_end(#state, #variable);
        }}
    }

    /// One copy of the body of an unrolled `for`, the loop's variable bound to the user's name. In some copies it is a constant,
    /// so where it may be assigned it becomes a variable of the copy.
    fn copy_of(&self, name: &Binder, variable: &Ident, body: TokenStream, span: Span) -> TokenStream {
        let Binder::Name { ident, mutable, id } = name else { return body };
        let escapes = id.is_none_or(|id| self.analysis.binding(id).escapes);
        if !mutable && !escapes {
            return quote_spanned!(span=> let #ident = #variable; #body);
        }
        let declare = Ident::new(if escapes { "let_" } else { "let_home" }, span);
        quote_spanned! {span=>
            let __s = __e.scope();
            let __v = __e.get(#variable);
            let #ident = __e.#declare(__v);
            #body
            __e.end_scope_unit(__s);
        }
    }

    /// Whether nothing can change the value of `expr` while a loop runs: a constant, or a variable that is never assigned, or
    /// the length of such a one.
    fn is_fixed(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Name(Name { to: Referent::Dynamic(id), .. }) => {
                let binding = self.analysis.binding(*id);
                !binding.is_mutable() && !binding.escapes
            }
            ExprKind::Method(method) => method.name == "len" && self.is_fixed(&method.receiver),
            _ => is_constant(expr),
        }
    }

    /// `for pattern in $(iterable)`: a Rust loop that instantiates its body once per round.
    pub(super) fn unrolled(&self, l: &Unrolled, span: Span) -> TokenStream {
        let span = at(span);
        let source_span = at(l.iterable.source.span());
        let iterable = match l.iterable.slot {
            Slot::Hoisted(k) => {
                let hoisted = self.hoisted(k, source_span);
                quote_spanned!(source_span=> (::core::clone::Clone::clone(&#hoisted.0)))
            }
            Slot::Deferred | Slot::Unresolved => {
                let value = in_parens(&l.iterable.source);
                quote_spanned!(source_span=> #value)
            }
        };
        let pattern = &l.pattern;
        let body = self.block_effect(&l.body);
        let body = if self.analysis.loop_info(l.id).continues {
            // `continue` leaves a loop of one round, so that the next iteration follows.
            let state = self.loop_state(l.id, span);
            quote_spanned! {span=>
                let mut #state = __e.loop_begin::<()>();
                #body
                __e.break_(&mut #state);
                let __v = __e.loop_end(#state);
                __e.discard(__v);
            }
        } else {
            body
        };
        // A closure, so that no `break`, `continue` or `return` in captured Rust code can leave the round half emitted.
        quote_spanned! {span=>
            for __item in ::core::iter::IntoIterator::into_iter #iterable {
                ::tickc::__private::round(
                    __item,
                    |#pattern| -> ::tickc::__private::Round { #body ::tickc::__private::Round::done() },
                );
            }
        }
    }
}
