//! Places: elements of slices, fields of records, elements of arrays, what raw pointers point to.
//!
//! A place is a chain: a *root* made of values (`record` for a field, `slice` and an index, a raw pointer), then *steps* of fields
//! and array indexes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::Type;

use super::operand::Takes;
use super::{Expander, at, placed, result_span};
use crate::analyze::effects;
use crate::analyze::resolve::is_place;
use crate::ast::*;

enum Root<'a> {
    /// A reference to a record.
    Record(&'a Expr),
    /// A slice and an index into it.
    Element(&'a Expr, &'a Expr),
    /// A raw pointer.
    Pointer(&'a Expr),
    /// `p.add(n)` or `p.offset(n)`, perhaps as another type of pointer: a raw pointer and an index.
    PointerIndex(&'a Expr, &'a Expr, &'static str, Option<&'a Type>),
}

impl<'a> Root<'a> {
    fn operands(&self) -> Vec<&'a Expr> {
        match self {
            Root::Record(base) | Root::Pointer(base) => vec![base],
            Root::Element(base, index) | Root::PointerIndex(base, index, ..) => vec![base, index],
        }
    }
}

enum Step<'a> {
    Field(&'a Ident),
    Index(&'a Expr),
}

struct Chain<'a> {
    root: Root<'a>,
    /// The token to which errors about the root belong.
    span: Span,
    steps: Vec<Step<'a>>,
}

fn chain(expr: &Expr) -> Chain<'_> {
    let (base, step) = match &expr.kind {
        ExprKind::Field(base, name) => (base, Step::Field(name)),
        ExprKind::Index(base, index) if is_place(base) => (base, Step::Index(index)),
        ExprKind::Index(base, index) => {
            return Chain { root: Root::Element(base, index), span: base.span, steps: Vec::new() };
        }
        ExprKind::Deref(pointer, _) => {
            return Chain { root: pointer_root(pointer), span: expr.span, steps: Vec::new() };
        }
        _ => return Chain { root: Root::Record(expr), span: expr.span, steps: Vec::new() },
    };
    let mut chain = if is_place(base) {
        chain(base)
    } else {
        Chain { root: Root::Record(base), span: base.span, steps: Vec::new() }
    };
    chain.steps.push(step);
    chain
}

/// The root `*pointer`; an offset becomes part of the address.
fn pointer_root(pointer: &Expr) -> Root<'_> {
    let (moved, ty) = match &pointer.kind {
        ExprKind::Cast(inner, ty) if matches!(**ty, Type::Ptr(_)) => (&**inner, Some(&**ty)),
        _ => (pointer, None),
    };
    if let ExprKind::Method(Method { receiver, name, args, .. }) = &moved.kind
        && let [index] = &args[..]
    {
        match name.to_string().as_str() {
            "add" => return Root::PointerIndex(receiver, index, "deref_add", ty),
            "offset" => return Root::PointerIndex(receiver, index, "deref_offset", ty),
            _ => {}
        }
    }
    Root::Pointer(pointer)
}

impl Expander<'_> {
    /// The place `expr`, a Rust expression of type `Place<T, Access>`.
    pub(super) fn place(&self, expr: &Expr) -> TokenStream {
        let chain = chain(expr);
        let span = at(chain.span);
        let indexes = chain.steps.iter().filter_map(|step| match step {
            Step::Index(index) => Some(*index),
            Step::Field(_) => None,
        });
        let changes = effects::effects_of_all(indexes.clone());
        // A pending place cannot be pinned: when an index further on may change what the place is made of, all values come first.
        let values_first = changes.certain || !changes.splices.is_empty();
        let mut exprs = chain.root.operands();
        let roots = exprs.len();
        if values_first {
            exprs.extend(indexes);
        }
        let operands = self.operands(&exprs, Takes::Numbers);
        let mut stmts = operands.lets;
        let (root_names, mut index_names) = (&operands.names[..roots], operands.names[roots..].iter());
        let root = self.root_place(&chain.root, root_names, span);
        stmts.extend(quote_spanned!(span=> let __p = #root;));
        for step in &chain.steps {
            stmts.extend(match step {
                Step::Field(name) => {
                    let span = at(name.span());
                    quote_spanned!(span=> let __p = __e.field(__p, |__f| __f.#name);)
                }
                Step::Index(index) => {
                    let span = at(index.span);
                    match index_names.next() {
                        Some(evaluated) => quote_spanned!(span=> let __p = __e.index_place(__p, #evaluated);),
                        None => {
                            let value = self.as_operand(|| self.value(index));
                            let name = Ident::new("__i", at(result_span(index)));
                            quote_spanned!(span=> let __i = #value; let __p = __e.index_place(__p, #name);)
                        }
                    }
                }
            });
        }
        quote_spanned!(span=> { #stmts __p })
    }

    /// `p.read()`, `p.write(v)` and the like.
    pub(super) fn access(&self, call: &Method) -> TokenStream {
        let span = at(call.name.span());
        let root = pointer_root(&call.receiver);
        let mut exprs = root.operands();
        let roots = exprs.len();
        exprs.extend(&call.args);
        let operands = self.operands(&exprs, Takes::Bools);
        let (lets, (root_names, values)) = (operands.lets, operands.names.split_at(roots));
        let root = self.root_place(&root, root_names, at(call.receiver.span));
        // Alignment is nothing to the machine.
        let name = call.name.to_string();
        let method = Ident::new(&format!("place_{}", name.trim_end_matches("_unaligned")), span);
        quote_spanned!(span=> { #lets let __p = #root; __e.#method(__p, #(#values),*) })
    }

    /// `&s[a..b]`
    pub(super) fn slice(&self, slice: &Slice, span: Span) -> TokenStream {
        let span = at(span);
        let ends = slice.from.iter().chain(&slice.to).map(|end| &**end);
        let is_array = is_place(&slice.base);
        let exprs: Vec<&Expr> = (!is_array).then_some(&*slice.base).into_iter().chain(ends).collect();
        let operands = self.operands(&exprs, Takes::Numbers);
        let (lets, mut names) = (operands.lets, operands.names.into_iter());
        let base = Ident::new("__s", at(slice.base.span));
        let whole = if is_array {
            let place = self.place(&slice.base);
            quote_spanned!(span=> let __p = #place; let #base = __e.whole(__p);)
        } else {
            let name = names.next();
            quote_spanned!(span=> let #base = #name;)
        };
        let (before, after) = if is_array { (Some(whole), None) } else { (None, Some(whole)) };
        let mut end = |expr: &Option<Box<Expr>>| match expr {
            Some(_) => {
                let name = names.next();
                quote_spanned!(span=> ::core::option::Option::Some(#name))
            }
            None => quote_spanned!(span=> ::core::option::Option::None),
        };
        let (from, to) = (end(&slice.from), end(&slice.to));
        let inclusive = slice.inclusive;
        let method = match slice.by {
            SliceBy::Place => "slice",
            SliceBy::Shared => "slice_shared",
            SliceBy::Exclusive => "slice_mut",
        };
        let method = Ident::new(method, span);
        quote_spanned!(span=> { #before #lets #after __e.#method(#base, #from, #to, #inclusive) })
    }

    /// The place that a root is, given the names of its operands.
    fn root_place(&self, root: &Root<'_>, operands: &[Ident], span: Span) -> TokenStream {
        let method = match root {
            Root::Record(_) => "deref_record",
            Root::Pointer(_) => "deref",
            Root::PointerIndex(_, _, method, _) => method,
            Root::Element(base, index) if self.is_in_bounds(base, index) => "index_proved",
            Root::Element(..) => "index",
        };
        let method = Ident::new(method, span);
        let place = quote_spanned!(span=> __e.#method(#(#operands),*));
        match root {
            Root::PointerIndex(_, _, _, Some(ty)) => {
                quote_spanned!(span=> { let __p = #place; __e.place_as::<_, _, #ty>(__p) })
            }
            _ => place,
        }
    }

    /// Whether `base[index]` is known to lie within: `index` is the variable of `for index in a..base.len()`, and neither it nor
    /// `base` can have changed.
    fn is_in_bounds(&self, base: &Expr, index: &Expr) -> bool {
        let variable = |expr: &Expr| match expr.kind {
            ExprKind::Name(Name { to: Referent::Dynamic(id), .. }) => Some(id),
            _ => None,
        };
        let (Some(base), Some(index)) = (variable(base), variable(index)) else { return false };
        self.analysis.binding(index).below_len_of == Some(base)
            && !self.analysis.binding(index).escapes
            && !self.analysis.binding(base).escapes
    }

    /// An assignment to a variable or a place.
    pub(super) fn assign(&self, assign: &Assign) -> TokenStream {
        let span = at(assign.op_span);
        let value = self.value(&assign.value);
        let value_span = at(result_span(&assign.value));
        let name = Ident::new("__v", value_span);
        let lets = quote_spanned!(at(assign.value.span)=> let #name = #value;);
        let suffix = assign.op.map_or(String::new(), |op| format!("_{}", op.method()));
        let variable = match &assign.target.kind {
            ExprKind::Name(target) => {
                let ident = &target.ident;
                quote_spanned!(at(ident.span())=> #ident)
            }
            ExprKind::Splice(capture) => {
                let span = at(capture.source.span());
                let handle = match capture.slot {
                    Slot::Hoisted(k) => {
                        let hoisted = self.hoisted(k, span);
                        quote_spanned!(span=> &#hoisted)
                    }
                    Slot::Deferred | Slot::Unresolved => super::by_reference(&capture.source),
                };
                quote_spanned!(span=> ::tickc::__private::var_of(#handle))
            }
            _ => {
                let method = Ident::new(&format!("store{suffix}"), span);
                let kept = self.keep(&name, &assign.value, &effects::effects(&assign.target), true);
                let place = self.as_operand(|| self.place(&assign.target));
                let place_name = Ident::new("__p", at(assign.target.span));
                return quote_spanned!(span=> { #lets #kept let __p = #place; __e.#method(#place_name, #name); });
            }
        };
        let method = format!("assign{suffix}");
        let assign = match &assign.target.kind {
            ExprKind::Splice(capture) => {
                placed(&method, capture.source.span(), quote_spanned!(span=> #variable, #name))
            }
            _ => {
                let method = Ident::new(&method, span);
                quote_spanned!(span=> #method(#variable, #name))
            }
        };
        quote_spanned!(span=> { #lets __e.#assign; })
    }
}
