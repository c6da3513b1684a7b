//! What each name, capture and jump refers to.
//!
//! One walk in source order, with the names in scope on a stack. It fills in the tree, numbers the captures that are hoisted,
//! and collects every error that can be told without types, each at the user's token.

use proc_macro2::{Ident, Span};
use syn::{Error, Token};

use super::mention;
use super::{Analysis, Binding, BindingKind, Hoist, HoistKind, LoopInfo, LoopKind};
use crate::ast::*;
use crate::methods;

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
struct Resolver {
    analysis: Analysis,
    /// The names in scope, innermost last.
    scope: Vec<(String, BindingId)>,
    /// The loops around, innermost last.
    loops: Vec<LoopId>,
    /// The `unsafe { }` blocks around, innermost last.
    unsafes: Vec<(Token![unsafe], UnsafeUse)>,
    /// The quoted `fn`, and its number of parameters.
    function: Option<(Ident, usize)>,
    mentions: usize,
    errors: Vec<Error>,
}

/// Whether an expression is a place rather than a value.
pub(crate) fn is_place(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Deref(..))
}

impl Resolver {
    fn error(&mut self, span: Span, message: impl std::fmt::Display) {
        self.errors.push(Error::new(span, message));
    }

    fn binding(&self, id: BindingId) -> &Binding {
        self.analysis.binding(id)
    }

    fn lookup(&self, name: &str) -> Option<BindingId> {
        let name = mention::plain(name);
        self.scope.iter().rev().find(|(known, _)| *known == name).map(|&(_, id)| id)
    }

    fn lookup_ident(&self, ident: &Ident) -> Option<BindingId> {
        self.lookup(&ident.to_string())
    }

    fn is_dynamic(&self, id: BindingId) -> bool {
        self.binding(id).kind != BindingKind::Rust
    }

    fn declare(&mut self, ident: &Ident, kind: BindingKind) -> BindingId {
        let id = BindingId(self.analysis.bindings.len());
        self.analysis.bindings.push(Binding { kind, escapes: false, below_len_of: None });
        self.scope.push((mention::plain(&ident.to_string()), id));
        id
    }

    fn bind(&mut self, binder: &mut Binder) -> Option<BindingId> {
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
    fn scoped(&mut self, walk: impl FnOnce(&mut Self)) {
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

    fn block(&mut self, block: &mut Block) {
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

    fn next_mention(&mut self) -> MentionId {
        self.mentions += 1;
        MentionId(self.mentions)
    }

    fn expr(&mut self, expr: &mut Expr) {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Lit(_) | ExprKind::Const(_) => {}
            ExprKind::Name(name) => self.name(name),
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
                    self.expr(base);
                }
                self.expr(index);
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

    fn name(&mut self, name: &mut Name) {
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

    /// The name, if `expr` is a bare name of a Rust value.
    fn rust_value(&self, expr: &Expr) -> Option<Ident> {
        let ExprKind::Name(name) = &expr.kind else { return None };
        let id = self.lookup_ident(&name.ident)?;
        (!self.is_dynamic(id)).then(|| name.ident.clone())
    }

    /// The variable, if `capture` is nothing but the name of one bound by the quotation.
    fn dynamic_name(&self, capture: &Capture) -> Option<BindingId> {
        let Source::Name(ident) = &capture.source else { return None };
        self.lookup_ident(ident).filter(|&id| self.is_dynamic(id))
    }

    fn lift(&mut self, capture: &mut Capture) {
        match (self.dynamic_name(capture), &capture.source) {
            (Some(_), Source::Name(ident)) => {
                let message =
                    format!("`{ident}` is a dynamic variable: it has no value until the code runs; write `{ident}` without `$`");
                self.error(ident.span(), message);
            }
            _ => self.capture(capture, HoistKind::Lift),
        }
    }

    /// A `$` that decides what is instantiated.
    fn steering(&mut self, capture: &mut Capture, kind: HoistKind) {
        match (self.dynamic_name(capture), &capture.source) {
            (Some(_), Source::Name(ident)) => {
                self.error(ident.span(), format!("`{ident}` is a dynamic variable: it has no value until the code runs"));
            }
            _ => self.capture(capture, kind),
        }
    }

    /// Decides when captured Rust code is run.
    fn capture(&mut self, capture: &mut Capture, kind: HoistKind) {
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
    fn unsafe_operation(&mut self, span: Span, message: &str) -> Unsafety {
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

    fn assign(&mut self, assign: &mut Assign) {
        let span = assign.target.span;
        match &mut assign.target.kind {
            ExprKind::Name(name) => {
                self.name(name);
                self.check_assignable(name);
            }
            ExprKind::Splice(capture) => match self.dynamic_name(capture) {
                Some(_) => {
                    self.expr(&mut assign.target);
                    if let ExprKind::Name(name) = &assign.target.kind {
                        let (ident, to) = (name.ident.clone(), name.to);
                        self.check_assignable(&Name { ident, to, mention: name.mention });
                    }
                }
                None => self.capture(capture, HoistKind::Splice),
            },
            ExprKind::Field(..) | ExprKind::Index(..) | ExprKind::Deref(..) => self.expr(&mut assign.target),
            ExprKind::Lift(_) => self.error(span, "a run-time constant cannot be assigned"),
            _ => self.error(span, "this cannot be assigned: only a variable, `@variable`, an element, a field or `*pointer` can"),
        }
        self.expr(&mut assign.value);
    }

    fn check_assignable(&mut self, name: &Name) {
        let ident = &name.ident;
        match name.to {
            Referent::Dynamic(id) if self.binding(id).is_mutable() => {}
            Referent::Dynamic(_) => self.error(ident.span(), format!("cannot assign to `{ident}`: it was bound without `mut`")),
            Referent::Rust(_) => self.error(ident.span(), format!("`{ident}` is a Rust value here, not a dynamic variable")),
            Referent::Const | Referent::Unresolved => {
                self.error(
                    ident.span(),
                    format!("`{ident}` is not bound in this quotation; to assign to a captured variable write `@{ident}`"),
                );
            }
        }
    }

    fn method(&mut self, call: &mut Method) {
        self.expr(&mut call.receiver);
        call.args.iter_mut().for_each(|arg| self.expr(arg));
        let (name, span) = (call.name.to_string(), call.name.span());
        let Some(method) = methods::lookup(&name) else {
            let advice = methods::nearest(&name).map(|near| format!("did you mean `{near}`?"));
            let advice =
                advice.unwrap_or_else(|| "to call Rust code while the quotation is made write `$( )` or `@( )`".to_owned());
            return self.error(span, format!("`{name}` is not available in dynamic code; {advice}"));
        };
        if method.args != call.args.len() {
            let plural = if method.args == 1 { "" } else { "s" };
            self.error(span, format!("`{name}` takes {} argument{plural}, but {} given", method.args, were(call.args.len())));
        }
        if method.kind == methods::Kind::Pointer {
            call.unsafety = self.unsafe_operation(span, &format!("`{name}` on a raw pointer needs `unsafe {{ }}`"));
        }
    }

    fn call(&mut self, call: &mut Call, span: Span) {
        if let Some((_, used)) = self.unsafes.last_mut() {
            used.perhaps = true;
            call.unsafety = Unsafety::Unsafe;
        }
        call.args.iter_mut().for_each(|arg| self.expr(arg));
        match &mut call.callee {
            Callee::Lifted(capture) => {
                let before = self.analysis.hoists.len();
                self.lift(capture);
                debug_assert!(self.analysis.hoists.len() <= before + 1, "a capture is hoisted once");
            }
            Callee::Path(path) => {
                if let Some(callee) = self.callee(path, call.args.len(), span) {
                    call.callee = callee;
                }
            }
            Callee::Rust(_) | Callee::Recursive | Callee::Trap | Callee::FromBits(..) => {}
        }
    }

    /// What the path of a call is, if not an `extern "C"` function.
    fn callee(&mut self, path: &syn::ExprPath, args: usize, span: Span) -> Option<Callee> {
        if path.qself.is_some() {
            return None;
        }
        if let Some(ident) = path.path.get_ident() {
            if let Some(id) = self.lookup_ident(ident) {
                if self.is_dynamic(id) {
                    self.error(span, format!("`{ident}` is a dynamic variable, which cannot be called"));
                }
                return Some(Callee::Rust(ident.clone()));
            }
            if let Some((function, params)) = &self.function
                && function == ident
            {
                if *params != args {
                    let plural = if *params == 1 { "" } else { "s" };
                    let message = format!("`{ident}` takes {params} argument{plural}, but {} given", were(args));
                    self.error(span, message);
                }
                return Some(Callee::Recursive);
            }
            return (ident == "trap" && args == 1).then(|| Callee::Trap);
        }
        let segments: Vec<_> = path.path.segments.iter().collect();
        match segments[..] {
            [ty, method] if method.ident == "from_bits" && args == 1 && (ty.ident == "f32" || ty.ident == "f64") => {
                Some(Callee::FromBits(ty.ident.clone(), method.ident.span()))
            }
            _ => None,
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

    fn for_(&mut self, l: &mut For) {
        self.expr(&mut l.range.from);
        self.expr(&mut l.range.to);
        let slice = if l.range.inclusive { None } else { self.len_of(&l.range.to) };
        l.id = self.new_loop(LoopKind::For, &l.label);
        self.scoped(|this| {
            if let Some(id) = this.bind(&mut l.name)
                && !this.binding(id).is_mutable()
            {
                this.analysis.bindings[id.0].below_len_of = slice;
            }
            this.loop_body(l.id, &mut l.body);
        });
    }

    /// The immutable variable whose length `expr` is, if it is one's.
    fn len_of(&self, expr: &Expr) -> Option<BindingId> {
        let ExprKind::Method(Method { receiver, name, args, .. }) = &expr.kind else { return None };
        let ExprKind::Name(Name { to: Referent::Dynamic(id), .. }) = receiver.kind else { return None };
        (name == "len" && args.is_empty() && !self.binding(id).is_mutable()).then_some(id)
    }

    fn new_loop(&mut self, kind: LoopKind, label: &Option<Ident>) -> LoopId {
        let info = LoopInfo { kind, label: label.clone(), breaks: false, breaks_with_value: false, continues: false };
        self.analysis.loops.push(info);
        LoopId(self.analysis.loops.len() - 1)
    }

    fn loop_body(&mut self, id: LoopId, body: &mut Block) {
        self.loops.push(id);
        self.block(body);
        self.loops.pop();
    }

    /// The loop that a jump goes to.
    fn target(&mut self, jump: &Jump, word: &str, span: Span) -> Option<LoopId> {
        let found = match &jump.label {
            None => self.loops.last().copied(),
            Some(label) => self.loops.iter().rev().copied().find(|&id| self.analysis.loop_info(id).label.as_ref() == Some(label)),
        };
        match (&jump.label, found) {
            (None, None) => self.error(span, format!("`{word}` outside of a loop of this quotation")),
            (Some(label), None) => {
                self.error(label.span(), format!("no loop of this quotation around here has the label `'{label}`"))
            }
            _ => {}
        }
        found
    }

    fn break_(&mut self, jump: &mut Jump, has_value: bool, span: Span) {
        let Some(id) = self.target(jump, "break", span) else { return };
        jump.to = Some(id);
        match (self.analysis.loop_info(id).kind, has_value) {
            (LoopKind::Unrolled, _) => self.error(span, "an unrolled loop cannot be left with `break`"),
            (LoopKind::While | LoopKind::For, true) => {
                self.error(span, "`break` with a value leaves only a `loop`, not a `while` or `for`");
            }
            _ => {}
        }
        let info = &mut self.analysis.loops[id.0];
        info.breaks |= !has_value;
        info.breaks_with_value |= has_value;
    }
}

/// "1 was", "2 were"
fn were(count: usize) -> String {
    format!("{count} {}", if count == 1 { "was" } else { "were" })
}
