//! What must be known of a quotation before it is expanded, and the errors that can be told without types.
//!
//! - [`resolve`]: what each name and capture refers to; fills in the tree and the tables of [`Analysis`]. Its parts [`assign`],
//!   [`calls`] and [`jumps`] do so for what they are named after.
//! - [`mention`]: which names captured Rust code mentions.
//! - [`effects`]: what evaluating an expression may change, so that operands before it must be pinned.
//! - [`mod@never`]: expressions that do not come to an end.
//! - [`last_use`]: mentions after which a variable is dead.
//! - [`in_place`]: mentions that the assignment of their own variable may overwrite.
//! - [`visit`]: the children of a node, in the order they are evaluated.

mod assign;
mod calls;
pub(crate) mod effects;
pub(crate) mod in_place;
mod jumps;
pub(crate) mod last_use;
pub(crate) mod mention;
pub(crate) mod never;
pub(crate) mod resolve;
#[cfg(test)]
mod tests;
pub(crate) mod visit;

use std::collections::HashSet;

use proc_macro2::Ident;
use syn::Token;

use crate::ast::{BindingId, LoopId, MentionId, Quotation, Source};

/// The tables that go with a resolved tree.
#[derive(Default)]
pub(crate) struct Analysis {
    /// By [`BindingId`].
    pub bindings: Vec<Binding>,
    /// By [`LoopId`].
    pub loops: Vec<LoopInfo>,
    /// By the number in [`crate::ast::Slot::Hoisted`], in source order.
    pub hoists: Vec<Hoist>,
    /// The mentions that are the last use of their variable.
    pub takes: HashSet<MentionId>,
    /// The mentions whose variable is about to be assigned and may be overwritten.
    pub in_place: HashSet<MentionId>,
    /// Whether a deferred `@( )` occurs.
    pub defers_splice: bool,
    /// Whether a `return` occurs.
    pub returns: bool,
}

/// A name bound by the quotation.
pub(crate) struct Binding {
    pub kind: BindingKind,
    /// Mentioned by deferred Rust code, which sees the variable's handle and may assign through it.
    pub escapes: bool,
    /// For the variable of `for i in a..s.len()`: the binding of `s`.
    pub below_len_of: Option<BindingId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BindingKind {
    /// A variable of the dynamic code.
    Dynamic { mutable: bool },
    /// A Rust value, bound by an unrolled loop or by `match $`.
    Rust,
}

impl Binding {
    pub(crate) fn is_mutable(&self) -> bool {
        self.kind == BindingKind::Dynamic { mutable: true }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoopKind {
    While,
    Loop,
    For,
    Unrolled,
}

pub(crate) struct LoopInfo {
    pub kind: LoopKind,
    pub label: Option<Ident>,
    /// Whether a `break` without a value leaves it.
    pub breaks: bool,
    /// Whether a `break` with a value leaves it.
    pub breaks_with_value: bool,
    /// Whether a `continue` goes on with it.
    pub continues: bool,
}

/// What is evaluated once, when `tick!` is.
pub(crate) struct Hoist {
    pub kind: HoistKind,
    pub source: Source,
    pub in_unsafe: Option<Token![unsafe]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HoistKind {
    Splice,
    Lift,
    /// The iterable of an unrolled loop.
    Iterable,
    /// The condition of `if $`.
    Condition,
    /// The value of `match $`.
    Scrutinee,
}

impl Analysis {
    pub(crate) fn binding(&self, id: BindingId) -> &Binding {
        &self.bindings[id.0]
    }

    pub(crate) fn loop_info(&self, id: LoopId) -> &LoopInfo {
        &self.loops[id.0]
    }
}

/// Analyses `quotation`, filling in what its names refer to.
pub(crate) fn analyze(quotation: &mut Quotation) -> Result<Analysis, Vec<syn::Error>> {
    let mut analysis = resolve::resolve(quotation)?;
    analysis.takes = last_use::find(quotation, &analysis);
    analysis.in_place = in_place::find(quotation, &analysis);
    Ok(analysis)
}
