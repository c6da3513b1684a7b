//! Resolution of assignments: what may be assigned.

use super::HoistKind;
use super::resolve::Resolver;
use crate::ast::*;

impl Resolver {
    pub(super) fn assign(&mut self, assign: &mut Assign) {
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
            _ => self.error(
                span,
                "this cannot be assigned: only a variable, `@variable`, an element, a field or `*pointer` can",
            ),
        }
        self.expr(&mut assign.value);
    }

    fn check_assignable(&mut self, name: &Name) {
        let ident = &name.ident;
        match name.to {
            Referent::Dynamic(id) if self.binding(id).is_mutable() => {}
            Referent::Dynamic(_) => {
                self.error(ident.span(), format!("cannot assign to `{ident}`: it was bound without `mut`"))
            }
            Referent::Rust(_) => {
                self.error(ident.span(), format!("`{ident}` is a Rust value here, not a dynamic variable"))
            }
            Referent::Const | Referent::Unresolved => {
                self.error(
                    ident.span(),
                    format!(
                        "`{ident}` is not bound in this quotation; to assign to a captured variable write `@{ident}`"
                    ),
                );
            }
        }
    }
}
