//! Expressions: each becomes a Rust expression of type `Val<T>`.

use proc_macro2::{Ident, Punct, Spacing, Span, TokenStream};
use quote::{ToTokens, quote_spanned};

use super::operand::Takes;
use super::{Expander, at, result_span};
use crate::analyze::resolve::is_place;
use crate::ast::*;

impl Expander<'_> {
    /// The value of `expr`.
    pub(super) fn value(&self, expr: &Expr) -> TokenStream {
        let span = at(expr.span);
        if self.diverges(expr) {
            let stmts = self.effect(expr);
            return quote_spanned!(span=> { #stmts __e.never() });
        }
        match &expr.kind {
            ExprKind::Lit(lit) => {
                let lit = literal(lit);
                quote_spanned!(span=> __e.lit(#lit))
            }
            ExprKind::Const(path) => quote_spanned!(span=> __e.lit(const { #path })),
            ExprKind::Name(name) => self.name(name),
            ExprKind::Splice(capture) => self.splice(capture),
            ExprKind::Lift(capture) => {
                let capture = self.lift_ref(capture);
                quote_spanned!(span=> __e.lift(#capture))
            }
            ExprKind::Unary(op, op_span, operand) => {
                let method = match op {
                    UnaryOp::Neg => "neg",
                    UnaryOp::Not => "not",
                };
                self.operation(method, *op_span, &[operand], Takes::Bools)
            }
            ExprKind::Binary(binary) => self.binary(binary),
            ExprKind::Logic(logic) => self.logic(logic),
            ExprKind::Cast(operand, ty) => match &operand.kind {
                _ if let Some((left, right)) = high_product(operand, ty) => {
                    let operands = self.operands(&[left, right], Takes::Numbers);
                    let (lets, names) = (operands.lets, operands.names);
                    quote_spanned!(span=> { #lets __e.high_product::<#ty>(#(#names),*) })
                }
                // As in Rust the type cast to is that of the literal, if it can be.
                ExprKind::Lit(lit) => {
                    let lit = literal(lit);
                    quote_spanned!(span=> __e.lit(#lit as #ty))
                }
                _ => {
                    let operands = self.operands(&[operand], Takes::Numbers);
                    let (lets, names) = (operands.lets, operands.names);
                    quote_spanned!(span=> { #lets __e.cast::<_, #ty>(#(#names),*) })
                }
            },
            ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Deref(..) => {
                let place = self.place(expr);
                quote_spanned!(span=> { let __p = #place; __e.read(__p) })
            }
            ExprKind::Ref(mutable, inner) => {
                let place = self.place(inner);
                let method = Ident::new(if *mutable { "ref_mut" } else { "ref_" }, span);
                let name = Ident::new("__p", at(inner.span));
                quote_spanned!(span=> { let __p = #place; __e.#method(#name) })
            }
            ExprKind::Slice(slice) => self.slice(slice, expr.span),
            ExprKind::Method(method) => self.method(method),
            ExprKind::Call(call) => self.call(call, expr.span),
            ExprKind::Block(block) => self.block_value(block, expr.span),
            ExprKind::Unsafe(block) => self.unsafe_value(block),
            ExprKind::If(i) => self.if_value(i, expr.span),
            ExprKind::Match(m) => self.match_value(m, expr.span),
            ExprKind::StaticIf(i) => self.static_if_value(i, expr.span),
            ExprKind::StaticMatch(m) => self.static_match(m, expr.span, &|body| self.value(body)),
            ExprKind::Loop(l) => self.loop_value(l, expr.span),
            ExprKind::Assign(_) | ExprKind::While(_) | ExprKind::For(_) | ExprKind::Unrolled(_) => {
                let stmts = self.effect(expr);
                quote_spanned!(span=> { #stmts __e.unit() })
            }
            ExprKind::Break(..) | ExprKind::Continue(_) | ExprKind::Return(_) | ExprKind::Range(_) => {
                quote_spanned!(span=> __e.never())
            }
        }
    }

    fn name(&self, name: &Name) -> TokenStream {
        let (ident, span) = (&name.ident, at(name.ident.span()));
        match name.to {
            Referent::Dynamic(_) => {
                let method = match name.mention {
                    last if self.analysis.takes.contains(&last) => "take",
                    first if self.analysis.in_place.contains(&first) => "get_in_place",
                    _ => "get",
                };
                let method = Ident::new(method, span);
                quote_spanned!(span=> __e.#method(#ident))
            }
            Referent::Rust(_) => {
                let capture = super::lift_bound(ident);
                quote_spanned!(span=> __e.lift(&#capture))
            }
            Referent::Const | Referent::Unresolved => quote_spanned!(span=> __e.lit(const { #ident })),
        }
    }

    /// Evaluates `exprs` and gives them to one method of the emitter.
    pub(super) fn operation(&self, method: &str, method_span: Span, exprs: &[&Expr], takes: Takes) -> TokenStream {
        let operands = self.operands(exprs, takes);
        let (lets, names) = (operands.lets, operands.names);
        let span = at(method_span);
        let method = Ident::new(method, span);
        quote_spanned!(span=> { #lets __e.#method(#(#names),*) })
    }

    fn binary(&self, binary: &Binary) -> TokenStream {
        if let Some(test) = self.test(binary) {
            return test;
        }
        let takes = if binary.op.takes_bool() { Takes::Bools } else { Takes::Numbers };
        self.operation(binary.op.method(), binary.op_span, &[&binary.left, &binary.right], takes)
    }

    /// `x % y == 0` and `x & m == k`, for which there is cheaper code than for the remainder or the bits.
    fn test(&self, binary: &Binary) -> Option<TokenStream> {
        let want = match binary.op {
            BinaryOp::Eq => true,
            BinaryOp::Ne => false,
            _ => return None,
        };
        let ExprKind::Lit(Lit { kind: LitKind::Int { zero }, token, .. }) = &binary.right.kind else { return None };
        let ExprKind::Binary(left) = &binary.left.kind else { return None };
        // A suffix would be a statement about types.
        let is_zero = *zero && token.to_string() == "0";
        let (method, bits) = match left.op {
            BinaryOp::Rem if is_zero => ("is_multiple", None),
            BinaryOp::BitAnd => ("has_bits", Some(self.value(&binary.right))),
            _ => return None,
        };
        let operands = self.operands(&[&left.left, &left.right], Takes::Numbers);
        let (lets, names) = (operands.lets, operands.names);
        let span = at(left.op_span);
        let method = Ident::new(method, span);
        Some(match bits {
            Some(bits) => {
                let name = Ident::new("__k", at(result_span(&binary.right)));
                quote_spanned!(span=> { #lets let __k = #bits; __e.#method(#(#names,)* #name, #want) })
            }
            None => quote_spanned!(span=> { #lets __e.#method(#(#names,)* #want) }),
        })
    }

    fn logic(&self, logic: &Logic) -> TokenStream {
        let span = at(logic.op_span);
        let method = Ident::new(if logic.is_and { "and" } else { "or" }, span);
        let (left, right) = (self.value(&logic.left), self.value(&logic.right));
        let left_name = Ident::new("__a", at(result_span(&logic.left)));
        let right_name = Ident::new("__b", at(result_span(&logic.right)));
        quote_spanned! {span=> {
            let __a = #left;
            let mut __l = __e.#method(#left_name);
            if __l.live() {
                let __b = #right;
                __e.logic_rhs(&mut __l, #right_name);
            }
            __e.logic_end(__l)
        }}
    }
}

/// The factors a and b, if `operand as ty` is `(a as u128 * b as u128 >> 64) as u64` or the same of `i128` and `i64`: the one
/// use that quotations have for integers of 128 bits.
fn high_product<'a>(operand: &'a Expr, ty: &syn::Type) -> Option<(&'a Expr, &'a Expr)> {
    let is = |ty: &syn::Type, name: &str| matches!(ty, syn::Type::Path(path) if path.path.is_ident(name));
    let wide = ["u", "i"].into_iter().find(|sign| is(ty, &format!("{sign}64"))).map(|sign| format!("{sign}128"))?;
    let ExprKind::Binary(Binary { op: BinaryOp::Shr, left: product, right: count, .. }) = &operand.kind else {
        return None;
    };
    let ExprKind::Binary(Binary { op: BinaryOp::Mul, left, right, .. }) = &product.kind else { return None };
    let (ExprKind::Lit(count), ExprKind::Cast(left, from), ExprKind::Cast(right, to)) =
        (&count.kind, &left.kind, &right.kind)
    else {
        return None;
    };
    (count.token.to_string() == "64" && is(from, &wide) && is(to, &wide)).then_some((left, right))
}

/// The tokens of a literal, as the user wrote them: lints about literals are meant for the user.
pub(super) fn literal(lit: &Lit) -> TokenStream {
    let mut tokens = TokenStream::new();
    if let Some(span) = lit.minus {
        let mut minus = Punct::new('-', Spacing::Alone);
        minus.set_span(span);
        minus.to_tokens(&mut tokens);
    }
    lit.token.to_tokens(&mut tokens);
    tokens
}

/// Whether `expr` is expanded as a place when its length is asked for.
pub(super) fn is_array_place(expr: &Expr) -> bool {
    is_place(expr)
}
