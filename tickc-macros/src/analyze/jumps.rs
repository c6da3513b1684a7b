//! Resolution of loops, and of the jumps that leave them or go on with them.

use proc_macro2::{Ident, Span};

use super::resolve::Resolver;
use super::{LoopInfo, LoopKind};
use crate::ast::*;

impl Resolver {
    pub(super) fn for_(&mut self, l: &mut For) {
        l.unroll.iter_mut().for_each(|factor| self.expr(factor));
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

    pub(super) fn new_loop(&mut self, kind: LoopKind, label: &Option<Ident>) -> LoopId {
        let info = LoopInfo { kind, label: label.clone(), breaks: false, breaks_with_value: false, continues: false };
        self.analysis.loops.push(info);
        LoopId(self.analysis.loops.len() - 1)
    }

    pub(super) fn loop_body(&mut self, id: LoopId, body: &mut Block) {
        self.loops.push(id);
        self.block(body);
        self.loops.pop();
    }

    /// The loop that a jump goes to.
    pub(super) fn target(&mut self, jump: &Jump, word: &str, span: Span) -> Option<LoopId> {
        let found = match &jump.label {
            None => self.loops.last().copied(),
            Some(label) => {
                self.loops.iter().rev().copied().find(|&id| self.analysis.loop_info(id).label.as_ref() == Some(label))
            }
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

    pub(super) fn break_(&mut self, jump: &mut Jump, has_value: bool, span: Span) {
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
