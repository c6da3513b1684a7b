//! Methods of dynamic values, and calls of functions.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::spanned::Spanned;

use super::operand::Takes;
use super::value::is_array_place;
use super::{Expander, at, placed};
use crate::ast::*;
use crate::methods::{self, Kind};

impl Expander<'_> {
    pub(super) fn method(&self, call: &Method) -> TokenStream {
        let name = call.name.to_string();
        let span = call.name.span();
        let operands: Vec<&Expr> = std::iter::once(&*call.receiver).chain(&call.args).collect();
        match methods::lookup(&name).map_or(Kind::Plain, |method| method.kind) {
            Kind::Len if is_array_place(&call.receiver) => {
                let place = self.place(&call.receiver);
                quote_spanned!(at(span)=> { let __p = #place; __e.array_len(__p) })
            }
            Kind::Len | Kind::IsEmpty => self.operation(&name, span, &operands, Takes::Numbers),
            Kind::Plain | Kind::Predicate | Kind::Host => {
                self.operation(&format!("m_{name}"), span, &operands, Takes::Numbers)
            }
            Kind::Access => self.access(call),
            Kind::Pointer => self.operation(&format!("ptr_{name}"), span, &operands, Takes::Numbers),
        }
    }

    pub(super) fn call(&self, call: &Call, start: Span) -> TokenStream {
        let span = at(start);
        let exprs: Vec<&Expr> = call.args.iter().collect();
        let operands = self.operands(&exprs, Takes::Bools);
        let (lets, names) = (operands.lets, operands.names);
        let args = quote_spanned!(at(call.paren)=> (#(#names,)*));
        let is_unsafe = call.unsafety == Unsafety::Unsafe;
        match &call.callee {
            Callee::Path(path) => {
                let span = at(path.span());
                let unsafety = is_unsafe.then(|| quote_spanned!(span=> unsafe));
                let params = names.iter().map(|_| quote_spanned!(span=> _));
                quote_spanned! {span=> {
                    let __f: #unsafety extern "C" fn(#(#params),*) -> _ = #path;
                    #lets
                    __e.call(__f, #args)
                }}
            }
            Callee::Lifted(capture) => {
                let callee = self.lift_ref(capture);
                let call = placed("call_lifted", capture.source.span(), quote_spanned!(span=> #callee, #args));
                quote_spanned!(span=> { #lets __e.#call })
            }
            Callee::Rust(ident) => {
                let callee = super::lift_bound(ident);
                quote_spanned!(span=> { #lets __e.call_lifted(&#callee, #args) })
            }
            Callee::Recursive => {
                let function = self.recursive_types();
                let params = self.params.iter();
                // Saying the types of the arguments one by one puts errors at the argument.
                let typed = quote_spanned!(span=> #(let #names: ::tickc::__private::Val<#params> = #names;)*);
                quote_spanned!(span=> { #lets #typed __e.call_self::<#function>(#args) })
            }
            // A trap has no value: see `trap`.
            Callee::Trap => quote_spanned!(span=> __e.never()),
            Callee::Associated(ty, method) => {
                let (span, name) = (at(method.span()), method.to_string());
                let method = Ident::new(&format!("m_{name}"), span);
                let constructed = match name.as_str() {
                    "from" => Some(quote_spanned!(span=> ::<#ty, _>)),
                    _ if methods::is_constructor(&name) => Some(quote_spanned!(span=> ::<#ty>)),
                    _ => None,
                };
                // Of a method the type is that of the first argument.
                let typed = constructed.is_none().then(|| {
                    let receiver = &names[0];
                    quote_spanned!(span=> let #receiver: ::tickc::__private::Val<#ty> = #receiver;)
                });
                quote_spanned!(span=> { #lets #typed __e.#method #constructed (#(#names),*) })
            }
        }
    }

    /// `(A, B), R` of the quoted `fn`.
    fn recursive_types(&self) -> TokenStream {
        let params = self.param_types();
        let returns = match &self.returns {
            super::ReturnType::Known(ty) => ty.to_token_stream(),
            _ => quote_spanned!(Span::mixed_site()=> _),
        };
        quote_spanned!(Span::mixed_site()=> #params, #returns)
    }

    /// `trap(code)`
    pub(super) fn trap(&self, call: &Call, span: Span) -> TokenStream {
        let exprs: Vec<&Expr> = call.args.iter().collect();
        let operands = self.operands(&exprs, Takes::Numbers);
        let (lets, names) = (operands.lets, operands.names);
        quote_spanned!(at(span)=> { #lets __e.trap(#(#names),*); })
    }
}
