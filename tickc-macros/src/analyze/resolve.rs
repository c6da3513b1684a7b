//! What each name, capture and jump refers to.
//!
//! One walk in source order, with the names in scope on a stack. It fills in the tree, numbers the captures that are hoisted,
//! and collects every error that can be told without types, each at the user's token.

use proc_macro2::{Ident, Span};
use syn::{Error, Token};

use super::mention;
use super::{Analysis, Binding, BindingKind, Hoist, HoistKind, LoopKind};
use crate::ast::*;

/// Resolves `quotation`.
pub(crate) fn resolve(quotation: &mut Quotation) -> Result<Analysis, Vec<Error>> {
    let mut resolver = Resolver::default();
    match &mut quotation.form {
        Form::Fragment(expr) => resolver.expr(expr),
        Form::Function(function) => resolver.function(function),
    }
    if resolver.errors.is_empty() { Ok(resolver.analysis) } else { Err(resolver.errors) }
}

#[derive(Default)]
pub(super) struct Resolver {
    pub(super) analysis: Analysis,
    /// The names in scope, innermost last.
    scope: Vec<(String, BindingId)>,
    /// The loops around, innermost last.
    pub(super) loops: Vec<LoopId>,
    /// The `unsafe { }` blocks around, innermost last.
    pub(super) unsafes: Vec<(Token![unsafe], UnsafeUse)>,
    /// The quoted `fn`, and its number of parameters.
    pub(super) function: Option<(Ident, usize)>,
    mentions: usize,
    errors: Vec<Error>,
}

/// Whether an expression is a place rather than a value.
pub(crate) fn is_place(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Deref(..))
}

impl Resolver {
    pub(super) fn error(&mut self, span: Span, message: impl std::fmt::Display) {
        self.errors.push(Error::new(span, message));
    }

    pub(super) fn binding(&self, id: BindingId) -> &Binding {
        self.analysis.binding(id)
    }

    fn lookup(&self, name: &str) -> Option<BindingId> {
        let name = mention::plain(name);
        self.scope.iter().rev().find(|(known, _)| *known == name).map(|&(_, id)| id)
    }

    pub(super) fn lookup_ident(&self, ident: &Ident) -> Option<BindingId> {
        self.lookup(&ident.to_string())
    }

    pub(super) fn is_dynamic(&self, id: BindingId) -> bool {
        self.binding(id).kind != BindingKind::Rust
    }

    fn declare(&mut self, ident: &Ident, kind: BindingKind) -> BindingId {
        let id = BindingId(self.analysis.bindings.len());
        self.analysis.bindings.push(Binding { kind, escapes: false, below_len_of: None });
        self.scope.push((mention::plain(&ident.to_string()), id));
        id
    }

    pub(super) fn bind(&mut self, binder: &mut Binder) -> Option<BindingId> {
        match binder {
            Binder::Ignored => None,
            Binder::Name { ident, mutable, id } => {
                let kind = BindingKind::Dynamic { mutable: *mutable };
                *id = Some(self.declare(ident, kind));
                *id
            }
        }
    }

    /// Runs `walk` in a scope of its own.
    pub(super) fn scoped(&mut self, walk: impl FnOnce(&mut Self)) {
        let outer = self.scope.len();
        walk(self);
        self.scope.truncate(outer);
    }

    fn function(&mut self, function: &mut Function) {
        if let Some(name) = &function.name {
            self.function = Some((name.clone(), function.params.len()));
        }
        for param in &mut function.params {
            if let Binder::Name { ident, .. } = &param.name
                && self.lookup_ident(ident).is_some()
            {
                self.error(ident.span(), format!("the parameter `{ident}` is bound more than once"));
            }
            self.bind(&mut param.name);
        }
        self.expr(&mut function.body);
    }

    pub(super) fn block(&mut self, block: &mut Block) {
        self.scoped(|this| {
            for stmt in &mut block.stmts {
                match stmt {
                    Stmt::Let(local) => {
                        this.expr(&mut local.init);
                        this.bind(&mut local.name);
                    }
                    Stmt::Expr(expr, _) => this.expr(expr),
                }
            }
            block.tail.iter_mut().for_each(|tail| this.expr(tail));
        });
    }

    fn slice(&mut self, slice: &mut Slice) {
        self.slice_place(&mut slice.base);
        slice.from.iter_mut().for_each(|e| self.expr(e));
        slice.to.iter_mut().for_each(|e| self.expr(e));
    }

    /// An expression of which an element, a part or the length is meant: there `s[a..b]` needs no `&`.
    pub(super) fn slice_place(&mut self, expr: &mut Expr) {
        match &mut expr.kind {
            ExprKind::Slice(slice) if slice.by == SliceBy::Place => self.slice(slice),
            _ => self.expr(expr),
        }
    }

    fn next_mention(&mut self) -> MentionId {
        self.mentions += 1;
        MentionId(self.mentions)
    }

    pub(super) fn expr(&mut self, expr: &mut Expr) {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Lit(_) | ExprKind::Const(_) => {}
            ExprKind::Name(name) => {
                self.name(name);
                self.check_readable(name);
            }
            ExprKind::Splice(capture) => match self.dynamic_name(capture) {
                Some(id) => {
                    let Source::Name(ident) = &capture.source else { return };
                    let (ident, mention) = (ident.clone(), self.next_mention());
                    expr.kind = ExprKind::Name(Name { ident, mention, to: Referent::Dynamic(id) });
                }
                None => {
                    self.capture(capture, HoistKind::Splice);
                    self.analysis.defers_splice |= capture.slot == Slot::Deferred;
                }
            },
            ExprKind::Lift(capture) => self.lift(capture),
            ExprKind::Unary(_, _, inner) | ExprKind::Cast(inner, _) => self.expr(inner),
            ExprKind::Binary(binary) => {
                self.expr(&mut binary.left);
                self.expr(&mut binary.right);
            }
            ExprKind::Logic(logic) => {
                self.expr(&mut logic.left);
                self.expr(&mut logic.right);
            }
            ExprKind::Assign(assign) => self.assign(assign),
            ExprKind::Field(base, field) => {
                if let Some(name) = self.rust_value(base) {
                    self.error(span, format!("`{name}` is a Rust value here: write `$({name}.{field})`"));
                } else {
                    self.expr(base);
                }
            }
            ExprKind::Index(base, index) => {
                if let Some(name) = self.rust_value(base) {
                    let message = format!(
                        "`{name}` is a Rust value here: write `$({name}[…])`, or `${name}[…]` if it is a slice that dynamic code indexes"
                    );
                    self.error(span, message);
                } else {
                    self.slice_place(base);
                }
                self.expr(index);
            }
            ExprKind::Slice(slice) => {
                if slice.by == SliceBy::Place {
                    self.error(span, "a part of a slice is a place: write `&` or `&mut` before it");
                }
                self.slice(slice);
            }
            ExprKind::Deref(pointer, unsafety) => {
                *unsafety = self.unsafe_operation(span, "a dereference of a raw pointer needs `unsafe { }`");
                self.expr(pointer);
            }
            ExprKind::Ref(_, place) => {
                if !is_place(place) {
                    self.error(span, "`&` takes an element or a field here: `&rows[i]`, `&row.field`");
                }
                self.expr(place);
            }
            ExprKind::Method(method) => self.method(method),
            ExprKind::Call(call) => self.call(call, span),
            ExprKind::Block(block) => self.block(block),
            ExprKind::Unsafe(unsafe_block) => {
                self.unsafes.push((unsafe_block.token, UnsafeUse::default()));
                self.block(&mut unsafe_block.block);
                unsafe_block.used = self.unsafes.pop().map(|(_, used)| used).unwrap_or_default();
            }
            ExprKind::If(i) => {
                self.expr(&mut i.cond);
                self.block(&mut i.then);
                i.otherwise.iter_mut().for_each(|e| self.expr(e));
            }
            ExprKind::Match(m) => {
                self.expr(&mut m.scrutinee);
                for arm in &mut m.arms {
                    self.scoped(|this| {
                        if let ArmPattern::Bind(binder) = &mut arm.pattern {
                            this.bind(binder);
                        }
                        this.expr(&mut arm.body);
                    });
                }
            }
            ExprKind::StaticIf(i) => {
                self.steering(&mut i.cond, HoistKind::Condition);
                self.block(&mut i.then);
                i.otherwise.iter_mut().for_each(|e| self.expr(e));
            }
            ExprKind::StaticMatch(m) => self.static_match(m),
            ExprKind::While(w) => {
                w.id = self.new_loop(LoopKind::While, &w.label);
                self.expr(&mut w.cond);
                self.loop_body(w.id, &mut w.body);
            }
            ExprKind::Loop(l) => {
                l.id = self.new_loop(LoopKind::Loop, &l.label);
                self.loop_body(l.id, &mut l.body);
            }
            ExprKind::For(l) => self.for_(l),
            ExprKind::Unrolled(l) => {
                self.steering(&mut l.iterable, HoistKind::Iterable);
                l.id = self.new_loop(LoopKind::Unrolled, &l.label);
                self.scoped(|this| {
                    for name in &l.names {
                        this.declare(name, BindingKind::Rust);
                    }
                    this.loop_body(l.id, &mut l.body);
                });
            }
            ExprKind::Break(jump, value) => {
                value.iter_mut().for_each(|e| self.expr(e));
                self.break_(jump, value.is_some(), span);
            }
            ExprKind::Continue(jump) => {
                jump.to = self.target(jump, "continue", span);
                if let Some(id) = jump.to {
                    self.analysis.loops[id.0].continues = true;
                }
            }
            ExprKind::Return(value) => {
                self.analysis.returns = true;
                value.iter_mut().for_each(|e| self.expr(e));
            }
            ExprKind::Range(range) => {
                self.error(span, "a range stands only in the head of a `for`");
                self.expr(&mut range.from);
                self.expr(&mut range.to);
            }
        }
    }

    pub(super) fn name(&mut self, name: &mut Name) {
        name.to = match self.lookup_ident(&name.ident) {
            Some(id) if self.is_dynamic(id) => {
                name.mention = self.next_mention();
                Referent::Dynamic(id)
            }
            Some(id) => Referent::Rust(id),
            None => {
                if self.function.as_ref().is_some_and(|(function, _)| *function == name.ident) {
                    self.error(
                        name.ident.span(),
                        format!("`{}` is the quoted function itself, which can only be called", name.ident),
                    );
                }
                Referent::Const
            }
        };
    }

    /// A name that is bound nowhere here is a constant, if it is written as one.
    fn check_readable(&mut self, name: &Name) {
        let ident = &name.ident;
        let is_function = self.function.as_ref().is_some_and(|(function, _)| function == ident);
        if name.to == Referent::Const && is_variable_name(ident) && !is_function {
            self.error(
                ident.span(),
                format!(
                    "`{ident}` is not bound in this quotation: write `${ident}` for the value of a Rust variable, `@{ident}` \
                     for dynamic code"
                ),
            );
        }
    }

    /// The name, if `expr` is a bare name of a Rust value.
    fn rust_value(&self, expr: &Expr) -> Option<Ident> {
        let ExprKind::Name(name) = &expr.kind else { return None };
        let id = self.lookup_ident(&name.ident)?;
        (!self.is_dynamic(id)).then(|| name.ident.clone())
    }

    /// The variable, if `capture` is nothing but the name of one bound by the quotation.
    pub(super) fn dynamic_name(&self, capture: &Capture) -> Option<BindingId> {
        let Source::Name(ident) = &capture.source else { return None };
        self.lookup_ident(ident).filter(|&id| self.is_dynamic(id))
    }

    pub(super) fn lift(&mut self, capture: &mut Capture) {
        match (self.dynamic_name(capture), &capture.source) {
            (Some(_), Source::Name(ident)) => {
                let message = format!(
                    "`{ident}` is a dynamic variable: it has no value until the code runs; write `{ident}` without `$`"
                );
                self.error(ident.span(), message);
            }
            _ => self.capture(capture, HoistKind::Lift),
        }
    }

    /// A `$` that decides what is instantiated.
    fn steering(&mut self, capture: &mut Capture, kind: HoistKind) {
        match (self.dynamic_name(capture), &capture.source) {
            (Some(_), Source::Name(ident)) => {
                self.error(
                    ident.span(),
                    format!("`{ident}` is a dynamic variable: it has no value until the code runs"),
                );
            }
            _ => self.capture(capture, kind),
        }
    }

    /// Decides when captured Rust code is run.
    pub(super) fn capture(&mut self, capture: &mut Capture, kind: HoistKind) {
        if let Some((token, used)) = self.unsafes.last_mut() {
            used.perhaps = true;
            capture.in_unsafe = Some(*token);
        }
        let mentions_own = match &capture.source {
            Source::Name(ident) => self.escape(&ident.to_string()),
            Source::Tokens(tokens, _) => self.escape_all(tokens),
        };
        capture.slot = if mentions_own {
            Slot::Deferred
        } else {
            self.analysis.hoists.push(Hoist { kind, source: capture.source.clone(), in_unsafe: capture.in_unsafe });
            Slot::Hoisted(self.analysis.hoists.len() - 1)
        };
    }

    /// Notes that Rust code mentions `name`; whether the quotation binds it.
    fn escape(&mut self, name: &str) -> bool {
        let id = self.lookup(name);
        if let Some(id) = id {
            self.analysis.bindings[id.0].escapes = true;
        }
        id.is_some()
    }

    fn escape_all(&mut self, tokens: &proc_macro2::TokenStream) -> bool {
        let mut any = false;
        for name in mention::names(tokens) {
            any |= self.escape(&name);
        }
        any
    }

    /// Checks that an unsafe operation stands in an `unsafe { }` of the user.
    pub(super) fn unsafe_operation(&mut self, span: Span, message: &str) -> Unsafety {
        match self.unsafes.last_mut() {
            Some((_, used)) => {
                used.surely = true;
                Unsafety::Unsafe
            }
            None => {
                self.error(span, message);
                Unsafety::Safe
            }
        }
    }

    fn static_match(&mut self, m: &mut StaticMatch) {
        self.steering(&mut m.value, HoistKind::Scrutinee);
        for arm in &mut m.arms {
            self.scoped(|this| {
                for name in &arm.names {
                    this.declare(name, BindingKind::Rust);
                }
                if let Some(guard) = &arm.guard {
                    this.escape_all(guard);
                }
                this.expr(&mut arm.body);
            });
        }
    }
}

/// Whether a name is written as variables are: constants have a capital letter.
fn is_variable_name(ident: &Ident) -> bool {
    let name = ident.to_string();
    name != "true"
        && name != "false"
        && name.starts_with(|c: char| c.is_lowercase() || c == '_')
        && !name.chars().any(char::is_uppercase)
}
