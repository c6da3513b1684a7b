//! Blocks and statements.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};

use super::{Expander, at, placed, result_span};
use crate::analyze::never;
use crate::ast::*;

impl Expander<'_> {
    /// The value of a block that comes to an end.
    pub(super) fn block_value(&self, block: &Block, span: Span) -> TokenStream {
        let (stmts, value) = self.block_parts(block);
        let span = at(block.span.unwrap_or(span));
        if !block.has_lets() {
            return quote_spanned!(span=> { #stmts #value });
        }
        match &block.tail {
            Some(tail) => {
                let name = Ident::new("__v", at(result_span(tail)));
                quote_spanned!(span=> { let __s = __e.scope(); #stmts let __v = #value; __e.end_scope(__s, #name) })
            }
            None => quote_spanned!(span=> { let __s = __e.scope(); #stmts __e.end_scope_unit(__s); #value }),
        }
    }

    /// The statements of a block and its value, without a scope around them.
    pub(super) fn block_parts(&self, block: &Block) -> (TokenStream, TokenStream) {
        let stmts = self.statements(block);
        let span = at(block_span(block));
        let value = match &block.tail {
            Some(tail) => self.value(tail),
            None if never::block_diverges(block, self.analysis) => quote_spanned!(span=> __e.never()),
            None => quote_spanned!(span=> __e.unit()),
        };
        (stmts, value)
    }

    /// A block whose value is `()`, or that does not come to an end; as a statement.
    pub(super) fn block_effect(&self, block: &Block) -> TokenStream {
        let stmts = self.statements(block);
        let tail = block.tail.as_ref().map(|tail| self.unit_statement(tail));
        let span = at(block_span(block));
        if block.has_lets() {
            quote_spanned!(span=> { let __s = __e.scope(); #stmts #tail __e.end_scope_unit(__s); })
        } else {
            quote_spanned!(span=> { #stmts #tail })
        }
    }

    fn statements(&self, block: &Block) -> TokenStream {
        let mut stmts = TokenStream::new();
        for stmt in &block.stmts {
            stmts.extend(match stmt {
                Stmt::Let(local) => self.local(local),
                Stmt::Expr(expr, true) => self.effect(expr),
                Stmt::Expr(expr, false) => self.unit_statement(expr),
            });
        }
        stmts
    }

    fn local(&self, local: &Let) -> TokenStream {
        let value = self.value(&local.init);
        let span = at(local.init.span);
        let name = Ident::new("__v", at(result_span(&local.init)));
        match &local.name {
            Binder::Name { ident, mutable, id } => {
                let generic = local.ty.as_ref().map(|ty| quote_spanned!(span=> ::<#ty>));
                // A variable that nothing can assign needs no home for a constant.
                let method = match id {
                    Some(id) if self.analysis.binding(*id).escapes => "let_",
                    None => "let_",
                    Some(_) if *mutable => "let_home",
                    Some(_) => "let_immutable",
                };
                if method == "let_" {
                    let method = placed(method, ident.span(), name.to_token_stream());
                    let value = match &local.ty {
                        Some(ty) => quote_spanned!(span=> let #name: ::tickc::__private::Val<#ty> = #value;),
                        None => quote_spanned!(span=> let #name = #value;),
                    };
                    return quote_spanned!(span=> #value let #ident = __e.#method;);
                }
                let method = Ident::new(method, span);
                quote_spanned!(span=> let __v = #value; let #ident = __e.#method #generic (#name);)
            }
            Binder::Ignored => {
                let annotation = local.ty.as_ref().map(|ty| quote_spanned!(span=> : ::tickc::__private::Val<#ty>));
                quote_spanned!(span=> let __v #annotation = #value; __e.discard(__v);)
            }
        }
    }

    /// `expr` as a statement that must be of type `()`.
    pub(super) fn unit_statement(&self, expr: &Expr) -> TokenStream {
        match &expr.kind {
            ExprKind::Block(block) => self.block_effect(block),
            ExprKind::Unsafe(block) => self.unsafe_effect(block),
            ExprKind::StaticIf(i) => self.static_if_effect(i, expr.span),
            ExprKind::StaticMatch(m) => self.static_match(m, expr.span, &|body| {
                let stmts = self.unit_statement(body);
                quote_spanned!(at(body.span)=> { #stmts })
            }),
            _ if self.is_effect(expr) => self.effect(expr),
            _ => {
                let value = self.value(expr);
                let name = Ident::new("__v", at(result_span(expr)));
                quote_spanned!(at(expr.span)=> let __v = #value; __e.expect_unit(#name);)
            }
        }
    }

    /// Whether `expr` has no value that would have to be consumed.
    fn is_effect(&self, expr: &Expr) -> bool {
        matches!(expr.kind, ExprKind::Assign(_) | ExprKind::While(_) | ExprKind::For(_) | ExprKind::Unrolled(_))
            || self.diverges(expr)
    }

    /// `expr` as a statement; its value, if it has one, is dropped.
    pub(super) fn effect(&self, expr: &Expr) -> TokenStream {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Assign(assign) => self.assign(assign),
            ExprKind::While(w) => self.while_(w, span),
            ExprKind::For(l) => self.for_(l, span),
            ExprKind::Unrolled(l) => self.unrolled(l, span),
            ExprKind::Break(jump, value) => self.break_(jump, value.as_deref(), span),
            ExprKind::Continue(jump) => self.continue_(jump, span),
            ExprKind::Return(value) => self.return_(value.as_deref(), span),
            ExprKind::Call(call) if matches!(call.callee, Callee::Trap) => self.trap(call, span),
            _ if self.diverges(expr) => match &expr.kind {
                ExprKind::Block(block) => self.block_effect(block),
                ExprKind::Unsafe(block) => self.unsafe_effect(block),
                ExprKind::If(i) => self.if_effect(i, span),
                ExprKind::Match(m) => self.match_effect(m, span),
                ExprKind::StaticIf(i) => self.static_if_effect(i, span),
                ExprKind::StaticMatch(m) => self.static_match(m, span, &|body| {
                    let stmts = self.effect(body);
                    quote_spanned!(at(body.span)=> { #stmts })
                }),
                ExprKind::Loop(l) => self.endless(l, span),
                // No other expression diverges.
                _ => TokenStream::new(),
            },
            _ => {
                let value = self.value(expr);
                let name = Ident::new("__v", at(result_span(expr)));
                quote_spanned!(at(span)=> let __v = #value; __e.discard(#name);)
            }
        }
    }

    pub(super) fn unsafe_value(&self, block: &UnsafeBlock) -> TokenStream {
        let value = self.block_value(&block.block, block.token.span);
        let body = users_unsafe(block, value);
        let allow = allow_unused(block);
        let span = at(block.token.span);
        quote_spanned!(span=> { #allow let __v = #body; __v })
    }

    fn unsafe_effect(&self, block: &UnsafeBlock) -> TokenStream {
        let stmts = self.block_effect(&block.block);
        let body = users_unsafe(block, stmts);
        let allow = allow_unused(block);
        let span = at(block.token.span);
        quote_spanned!(span=> { #allow let () = #body; })
    }
}

/// The user's own `unsafe { }` around what its inside has become; it is this token that rustc's lints see.
fn users_unsafe(block: &UnsafeBlock, body: TokenStream) -> TokenStream {
    let token = block.token;
    let mut braces = Group::new(Delimiter::Brace, body);
    braces.set_span(block_span(&block.block));
    let braces = TokenTree::Group(braces);
    quote_spanned!(at(token.span)=> #token #braces)
}

/// What stands in the block may need no `unsafe` once it is expanded, as captured Rust code is evaluated elsewhere.
fn allow_unused(block: &UnsafeBlock) -> Option<TokenStream> {
    let needed = !block.used.surely && block.used.perhaps;
    needed.then(|| quote_spanned!(at(block.token.span)=> #[allow(unused_unsafe)]))
}

fn block_span(block: &Block) -> Span {
    block.span.unwrap_or_else(Span::mixed_site)
}
