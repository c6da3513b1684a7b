//! Mentions after which a variable is dead, so that its register can be handed on instead of copied.
//!
//! A mention is the last use of a variable bound by `let` or as a parameter if
//!
//! 1. no other mention, and no assignment, is evaluated after it;
//! 2. it runs exactly as often as the `let`: no loop and no arm lies between the two;
//! 3. no earlier mention in the same statement may still be waiting to be read, unless the two are the operands of one
//!    arithmetic operator (`h * h`), which reads both at once;
//! 4. deferred Rust code, which could use the variable at any time, does not mention it.
//!
//! Cost: one walk over the tree.

use std::collections::{HashMap, HashSet};

use super::{Analysis, visit};
use crate::ast::*;

/// The last uses in `quotation`.
pub(crate) fn find(quotation: &Quotation, analysis: &Analysis) -> HashSet<MentionId> {
    let mut walk = Walk {
        analysis,
        context: 0,
        contexts: 0,
        statements: Vec::new(),
        serial: 0,
        variables: HashMap::new(),
        pairs: HashSet::new(),
    };
    match &quotation.form {
        Form::Fragment(expr) => walk.expr(expr),
        Form::Function(function) => {
            for param in &function.params {
                walk.bind(&param.name, 0);
            }
            match &function.body.kind {
                ExprKind::Block(block) => walk.block(block),
                _ => walk.single_statement(&function.body),
            }
        }
    }
    let Walk { variables, pairs, .. } = walk;
    variables.into_values().filter_map(|variable| variable.last_use(&pairs)).collect()
}

/// What is known of a variable while walking.
struct Variable {
    /// The straight-line context of its `let`.
    context: usize,
    /// How many blocks enclose its `let`, the own one included.
    depth: usize,
    /// The statement of its own block in which it was last mentioned.
    statement: usize,
    /// The mentions in that statement, in order of evaluation.
    mentions: Vec<MentionId>,
    /// Whether the last mention reads it, in the context of the `let`.
    readable: bool,
}

impl Variable {
    fn last_use(&self, pairs: &HashSet<(MentionId, MentionId)>) -> Option<MentionId> {
        match self.mentions[..] {
            [only] if self.readable => Some(only),
            [left, right] if self.readable && pairs.contains(&(left, right)) => Some(right),
            _ => None,
        }
    }
}

struct Walk<'a> {
    analysis: &'a Analysis,
    /// The straight-line context: one number per loop body and arm.
    context: usize,
    /// How many contexts there have been.
    contexts: usize,
    /// The current statement of each enclosing block, outermost first.
    statements: Vec<usize>,
    /// How many statements there have been.
    serial: usize,
    variables: HashMap<BindingId, Variable>,
    /// Mentions of one variable that are the two operands of an arithmetic operator.
    pairs: HashSet<(MentionId, MentionId)>,
}

impl Walk<'_> {
    /// A variable whose own block is `depth` blocks deep.
    fn bind(&mut self, binder: &Binder, depth: usize) {
        if let Binder::Name { id: Some(id), .. } = binder
            && !self.analysis.binding(*id).escapes
        {
            let variable =
                Variable { context: self.context, depth, statement: 0, mentions: Vec::new(), readable: false };
            self.variables.insert(*id, variable);
        }
    }

    fn mention(&mut self, name: &Name, reads: bool) {
        let Referent::Dynamic(id) = name.to else { return };
        let Some(variable) = self.variables.get_mut(&id) else { return };
        // Serial numbers start at 1, so that the first mention always starts a new statement.
        let statement = self.statements.get(variable.depth).copied().unwrap_or(usize::MAX);
        if variable.statement != statement {
            variable.statement = statement;
            variable.mentions.clear();
        }
        variable.mentions.push(name.mention);
        variable.readable = reads && variable.context == self.context;
    }

    fn apart(&mut self, walk: impl FnOnce(&mut Self)) {
        self.contexts += 1;
        let outer = std::mem::replace(&mut self.context, self.contexts);
        walk(self);
        self.context = outer;
    }

    fn statement(&mut self) {
        self.serial += 1;
        if let Some(current) = self.statements.last_mut() {
            *current = self.serial;
        }
    }

    fn block(&mut self, block: &Block) {
        let depth = self.statements.len();
        self.statements.push(0);
        for stmt in &block.stmts {
            self.statement();
            match stmt {
                Stmt::Let(local) => {
                    self.expr(&local.init);
                    self.bind(&local.name, depth);
                }
                Stmt::Expr(expr, _) => self.expr(expr),
            }
        }
        if let Some(tail) = &block.tail {
            self.statement();
            self.expr(tail);
        }
        self.statements.pop();
    }

    fn single_statement(&mut self, expr: &Expr) {
        self.statements.push(0);
        self.statement();
        self.expr(expr);
        self.statements.pop();
    }

    /// Walks in order of evaluation.
    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Name(name) => self.mention(name, true),
            ExprKind::Assign(assign) => {
                self.expr(&assign.value);
                match &assign.target.kind {
                    ExprKind::Name(name) => self.mention(name, false),
                    _ => self.expr(&assign.target),
                }
            }
            ExprKind::Binary(binary) => {
                self.expr(&binary.left);
                self.expr(&binary.right);
                if let (ExprKind::Name(left), ExprKind::Name(right)) = (&binary.left.kind, &binary.right.kind)
                    && left.to == right.to
                    && !binary.op.is_comparison()
                {
                    self.pairs.insert((left.mention, right.mention));
                }
            }
            ExprKind::Logic(logic) => {
                self.expr(&logic.left);
                self.apart(|walk| walk.expr(&logic.right));
            }
            ExprKind::Block(block) => self.block(block),
            ExprKind::Unsafe(block) => self.block(&block.block),
            ExprKind::If(i) => {
                self.expr(&i.cond);
                self.arms(&i.then, i.otherwise.as_deref());
            }
            ExprKind::StaticIf(i) => self.arms(&i.then, i.otherwise.as_deref()),
            ExprKind::Match(m) => {
                self.expr(&m.scrutinee);
                m.arms.iter().for_each(|arm| self.apart(|walk| walk.expr(&arm.body)));
            }
            ExprKind::StaticMatch(m) => m.arms.iter().for_each(|arm| self.apart(|walk| walk.expr(&arm.body))),
            ExprKind::While(w) => self.apart(|walk| {
                walk.expr(&w.cond);
                walk.block(&w.body);
            }),
            ExprKind::Loop(l) => self.apart(|walk| walk.block(&l.body)),
            ExprKind::For(l) => {
                self.expr(&l.range.from);
                self.expr(&l.range.to);
                self.apart(|walk| walk.block(&l.body));
            }
            ExprKind::Unrolled(l) => self.apart(|walk| walk.block(&l.body)),
            _ => visit::children(expr, &mut |child| self.expr(child)),
        }
    }

    fn arms(&mut self, then: &Block, otherwise: Option<&Expr>) {
        self.apart(|walk| walk.block(then));
        if let Some(otherwise) = otherwise {
            self.apart(|walk| walk.expr(otherwise));
        }
    }
}
