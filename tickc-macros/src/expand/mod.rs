//! Tree to Rust.
//!
//! Each dynamic expression becomes a Rust expression of type `Val<T>`, a linear value that is consumed exactly once:
//!
//! ```text
//! a + b    { let __a0 = A; let __a1 = B; __e.add(__a0, __a1) }
//! ```
//!
//! - [`value`]: expressions. [`operand`]: several of them in order, pinned and held as needed.
//! - [`place`]: elements, fields, what pointers point to. [`call`]: methods and functions.
//! - [`block`]: blocks and statements. [`control`]: `if`, `match`, jumps. [`loops`]: loops.
//!
//! **Hygiene.** Names beginning with `__` have the span `mixed_site`, so that no name of the user can meet them.
//! **Errors.** Every token made here is *located* at a token of the user, as rustc reports a type error where the token stands:
//! a method at its operator, an operand's mention at the operand. As the tokens still belong to the macro, lints pass over them.
//! **Unsafe.** The only `unsafe` blocks made here carry the user's own token.

mod block;
mod call;
mod control;
mod loops;
mod operand;
mod place;
#[cfg(test)]
mod tests;
mod value;

use std::cell::Cell;

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use syn::{Error, Token, Type};

use crate::analyze::effects;
use crate::analyze::{self, Analysis, Hoist, HoistKind, mention};
use crate::ast::*;
use crate::parse;

/// Expands `tick!`.
pub(crate) fn tick(input: TokenStream) -> TokenStream {
    let mut quotation = match parse::quotation(input) {
        Ok(quotation) => quotation,
        Err(error) => return report(&[error]),
    };
    match analyze::analyze(&mut quotation) {
        Ok(analysis) => expand(&quotation, &analysis),
        Err(errors) => report(&errors),
    }
}

/// The errors, as an expression that makes no errors of its own.
fn report(errors: &[Error]) -> TokenStream {
    let errors = errors.iter().map(Error::to_compile_error);
    quote!({ #(#errors)* })
}

fn expand(quotation: &Quotation, analysis: &Analysis) -> TokenStream {
    let span = Span::mixed_site();
    let returns = match &quotation.form {
        Form::Fragment(_) => ReturnType::Unknown,
        Form::Function(function) => match &function.returns {
            Returns::Type(ty) => ReturnType::Known(ty),
            Returns::Inferred => ReturnType::Inferred,
        },
    };
    let params = match &quotation.form {
        Form::Fragment(_) => Vec::new(),
        Form::Function(function) => function.params.iter().map(|param| &param.ty).collect(),
    };
    let expander =
        Expander { analysis, by_move: quotation.by_move.is_some(), params, returns, in_operand: Cell::new(false) };
    let hoists = expander.hoists();
    let by_move = quotation.by_move.map(|token| quote_spanned!(at(token.span)=> move));
    match &quotation.form {
        Form::Fragment(body) => {
            let flags = expander.flags(body);
            let body = expander.fragment_body(body);
            quote_spanned!(span=> ::tickc::__private::quote(#hoists, #flags, #by_move |__e, __h| #body))
        }
        Form::Function(function) => {
            let flags = expander.flags(&function.body);
            let body = expander.function_body(function);
            let types = expander.param_types();
            let (returns, arrow) = match &function.returns {
                Returns::Type(ty) => (quote!(#ty), quote_spanned!(span=> -> ::tickc::__private::Val<#ty>)),
                Returns::Inferred => (quote_spanned!(span=> _), TokenStream::new()),
            };
            quote_spanned! {span=>
                ::tickc::__private::staged::<#types, #returns, _, _>(#hoists, #flags, #by_move |__e, __h| #arrow #body)
            }
        }
    }
}

/// The type of what `return` gives.
enum ReturnType<'a> {
    Known(&'a Type),
    /// A closure without an arrow: all values returned have one type, which rustc finds out.
    Inferred,
    /// A fragment: whatever function it ends up in.
    Unknown,
}

struct Expander<'a> {
    analysis: &'a Analysis,
    by_move: bool,
    /// The types of the function's parameters.
    params: Vec<&'a Type>,
    returns: ReturnType<'a>,
    /// Whether what is being expanded is evaluated while an operand to its left is pending.
    in_operand: Cell<bool>,
}

/// `method(args)` where its `#[track_caller]` finds the user's token at `span`: of a token located there rustc would only say
/// where the macro is called.
fn placed(method: &str, span: Span, args: TokenStream) -> TokenStream {
    let method = Ident::new(method, span);
    let mut args = Group::new(Delimiter::Parenthesis, args);
    args.set_span(span);
    quote!(#method #args)
}

/// The span of a token made here that stands for the user's token at `span`.
fn at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

impl Expander<'_> {
    /// The captures evaluated once: `(first, (second, ()))`.
    fn hoists(&self) -> TokenStream {
        let hoists = self.analysis.hoists.iter().rev();
        hoists.fold(quote_spanned!(Span::mixed_site()=> ()), |rest, hoist| {
            let capture = self.hoist(hoist);
            quote_spanned!(Span::mixed_site()=> (#capture, #rest))
        })
    }

    fn hoist(&self, hoist: &Hoist) -> TokenStream {
        let span = at(hoist.source.span());
        let capture = match hoist.kind {
            HoistKind::Splice => splice_capture(&hoist.source),
            HoistKind::Lift => lift_capture(&hoist.source),
            HoistKind::Iterable => {
                let value = in_parens(&hoist.source);
                quote_spanned!(span=> ::tickc::__private::Plain #value)
            }
            HoistKind::Condition => {
                let value = in_parens(&hoist.source);
                quote_spanned!(span=> ::tickc::__private::Plain::<bool> #value)
            }
            HoistKind::Scrutinee => {
                let value = in_parens(&hoist.source);
                if self.is_borrowed(&hoist.source) {
                    // Like `&value`, but a value that is a reference already is copied, not borrowed once more, so that the
                    // fragment may outlive the variable that holds the reference: that is what method calls do with `self`.
                    quote_spanned! {span=> ::tickc::__private::Plain({
                        trait __Look { fn __look(&self) -> &Self { self } }
                        impl<T: ?::core::marker::Sized> __Look for T {}
                        #value.__look()
                    })}
                } else {
                    quote_spanned!(span=> ::tickc::__private::Plain #value)
                }
            }
        };
        match hoist.in_unsafe {
            Some(token) => in_unsafe(token, capture),
            None => capture,
        }
    }

    /// Whether the value of a `match $` is captured by reference, as a closure would.
    fn is_borrowed(&self, source: &Source) -> bool {
        !self.by_move
            && match source {
                Source::Name(_) => true,
                Source::Tokens(tokens, _) => mention::is_place(tokens),
            }
    }

    /// What is known of the body before it is instantiated.
    fn flags(&self, body: &Expr) -> TokenStream {
        let found = effects::effects(body);
        let names = [("EFFECTS", found.certain), ("CALLS", found.calls), ("DEFERRED", self.analysis.defers_splice)];
        let mut flags =
            names.iter().filter(|(_, set)| *set).map(|(name, _)| Ident::new(name, Span::mixed_site())).peekable();
        if flags.peek().is_none() {
            return quote_spanned!(Span::mixed_site()=> ::tickc::__private::flags::NONE);
        }
        quote_spanned!(Span::mixed_site()=> #(::tickc::__private::flags::#flags)|*)
    }

    /// `(A, B)`
    fn param_types(&self) -> TokenStream {
        let types = &self.params;
        quote_spanned!(Span::mixed_site()=> (#(#types,)*))
    }

    fn fragment_body(&self, body: &Expr) -> TokenStream {
        let span = at(body.span);
        if self.diverges(body) {
            // Without a value the fragment is a statement; nothing else would tell rustc its type.
            let stmts = self.effect(body);
            return quote_spanned!(span=> { #stmts __e.unit() });
        }
        let value = self.value(body);
        quote_spanned!(span=> { #value })
    }

    fn function_body(&self, function: &Function) -> TokenStream {
        let span = at(function.body.span);
        let params = function.params.iter().map(|param| self.param(param));
        let (stmts, value) = match &function.body.kind {
            // The scope of the outermost block is the function.
            ExprKind::Block(block) => self.block_parts(block),
            _ => (TokenStream::new(), self.value(&function.body)),
        };
        if !(self.analysis.returns && matches!(self.returns, ReturnType::Inferred)) {
            return quote_spanned!(span=> { #(#params)* #stmts #value });
        }
        let result = quote_spanned!(at(result_span(&function.body))=> &__v);
        quote_spanned! {span=> {
            let __r: ::core::option::Option<&::tickc::__private::Val<_>> = ::core::option::Option::None;
            #(#params)*
            #stmts
            let __v = #value;
            let _ = __r.unwrap_or(#result);
            __v
        }}
    }

    fn param(&self, param: &Param) -> TokenStream {
        let ty = &param.ty;
        match &param.name {
            Binder::Name { ident, id, .. } => {
                let span = at(ident.span());
                if id.is_none_or(|id| self.analysis.binding(id).escapes) {
                    let param = placed("param", ident.span(), TokenStream::new());
                    return quote_spanned!(span=> let #ident: ::tickc::__private::Var<#ty> = __e.#param;);
                }
                quote_spanned!(span=> let #ident: ::tickc::__private::Home<#ty> = __e.param_home::<#ty>();)
            }
            Binder::Ignored => {
                quote_spanned!(Span::mixed_site()=> let _: ::tickc::__private::Var<#ty> = __e.param::<#ty>();)
            }
        }
    }

    fn diverges(&self, expr: &Expr) -> bool {
        analyze::never::diverges(expr, self.analysis)
    }

    /// `__h.1.1.0`: the capture of number `k`.
    fn hoisted(&self, k: usize, span: Span) -> TokenStream {
        let rests = (0..k).map(|_| quote_spanned!(span=> .1));
        quote_spanned!(span=> __h #(#rests)* .0)
    }

    /// Expands something that is evaluated while an operand to its left is pending.
    fn as_operand(&self, expand: impl FnOnce() -> TokenStream) -> TokenStream {
        let outer = self.in_operand.replace(true);
        let expanded = expand();
        self.in_operand.set(outer);
        expanded
    }

    /// A splice.
    fn splice(&self, capture: &Capture) -> TokenStream {
        let span = capture.source.span();
        let method = if self.in_operand.get() { "splice_operand" } else { "splice" };
        let splice = placed(method, span, self.splice_ref(capture));
        quote_spanned!(at(span)=> __e.#splice)
    }

    /// A reference to a captured splice.
    fn splice_ref(&self, capture: &Capture) -> TokenStream {
        self.capture_ref(capture, splice_capture)
    }

    /// A reference to a captured run-time constant.
    fn lift_ref(&self, capture: &Capture) -> TokenStream {
        self.capture_ref(capture, |source| match source {
            Source::Name(ident) => lift_bound(ident),
            Source::Tokens(..) => lift_capture(source),
        })
    }

    fn capture_ref(&self, capture: &Capture, evaluate: impl FnOnce(&Source) -> TokenStream) -> TokenStream {
        let span = at(capture.source.span());
        let capture = match capture.slot {
            Slot::Hoisted(k) => self.hoisted(k, span),
            Slot::Deferred | Slot::Unresolved => evaluate(&capture.source),
        };
        quote_spanned!(span=> &#capture)
    }
}

/// The captured Rust code in parentheses, for use as an argument list or an operand.
fn in_parens(source: &Source) -> TokenTree {
    let (tokens, span) = match source {
        Source::Name(ident) => (quote!(#ident), ident.span()),
        Source::Tokens(tokens, span) => (tokens.clone(), *span),
    };
    let mut group = Group::new(Delimiter::Parenthesis, tokens);
    group.set_span(at(span));
    TokenTree::Group(group)
}

/// `&name`, `&(expr)`
fn by_reference(source: &Source) -> TokenStream {
    let span = at(source.span());
    match source {
        Source::Name(ident) => quote_spanned!(span=> &#ident),
        Source::Tokens(..) => {
            let value = in_parens(source);
            quote_spanned!(span=> &#value)
        }
    }
}

fn splice_capture(source: &Source) -> TokenStream {
    let reference = by_reference(source);
    quote_spanned!(at(source.span())=> ::tickc::__private::splice_capture(#reference))
}

fn lift_capture(source: &Source) -> TokenStream {
    let reference = by_reference(source);
    quote_spanned!(at(source.span())=> ::tickc::__private::lift_capture(#reference))
}

/// A name bound to a Rust value by the quotation. Patterns of `match $` bind references; `clone` sees through them.
fn lift_bound(ident: &Ident) -> TokenStream {
    quote_spanned!(at(ident.span())=> ::tickc::__private::lift_capture(&#ident.clone()))
}

/// `value` in the `unsafe` block of the user around it, where it is evaluated apart from that block.
fn in_unsafe(token: Token![unsafe], value: TokenStream) -> TokenStream {
    quote_spanned!(at(token.span)=> { #[allow(unused_unsafe)] let __v = #token { #value }; __v })
}

/// The token at which a type error in the value of `expr` is best reported.
fn result_span(expr: &Expr) -> Span {
    match &expr.kind {
        ExprKind::Block(block) => block_result_span(block).unwrap_or(expr.span),
        ExprKind::Unsafe(block) => block_result_span(&block.block).unwrap_or(expr.span),
        _ => expr.span,
    }
}

fn block_result_span(block: &Block) -> Option<Span> {
    block.tail.as_ref().map(|tail| result_span(tail)).or(block.span)
}
