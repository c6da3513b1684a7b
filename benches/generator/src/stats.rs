//! What was generated, so that it can be seen that it was not nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::ast::*;
use crate::engines::Outcomes;
use crate::eval::Stop;
use crate::visit::Node;

/// Counts over many programs.
#[derive(Default)]
pub struct Statistics {
    programs: u64,
    outcomes: BTreeMap<&'static str, u64>,
    expressions: BTreeMap<String, u64>,
    operations: BTreeMap<String, u64>,
    statements: BTreeMap<String, u64>,
    /// What is read, and what is written.
    places: BTreeMap<String, u64>,
    callees: BTreeMap<String, u64>,
    segments: BTreeMap<String, u64>,
    types: BTreeMap<String, u64>,
}

/// The name of a variant.
fn variant(of: &dyn fmt::Debug) -> String {
    /// Takes what is written until something else than a name comes, so that a tree is not printed as a whole.
    struct Name(String);
    impl fmt::Write for Name {
        fn write_str(&mut self, s: &str) -> fmt::Result {
            let end = s.find(|c: char| !c.is_alphanumeric());
            self.0.push_str(&s[..end.unwrap_or(s.len())]);
            if end.is_some() { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut name = Name(String::new());
    // An error is how writing ends.
    let _ = fmt::write(&mut name, format_args!("{of:?}"));
    name.0
}

fn add(to: &mut BTreeMap<String, u64>, name: String) {
    *to.entry(name).or_default() += 1;
}

impl Statistics {
    /// Counts a program and what came out of its runs.
    pub fn add(&mut self, program: &Program, outcomes: &Outcomes) {
        self.programs += 1;
        for outcome in outcomes {
            let name = match outcome {
                Ok(_) => "value",
                Err(Stop::DivisionByZero) => "division by zero",
                Err(Stop::DivisionOverflow) => "division overflow",
                Err(Stop::Index) => "index out of bounds",
                Err(Stop::Code(_)) => "trap(code)",
                Err(Stop::Return(_)) => "return",
                Err(Stop::Panic(_)) => "panic of a closure",
                Err(Stop::Goto(_)) => unreachable!("a jump stays in the program"),
                Err(Stop::Fuel) => "too long, not run",
            };
            *self.outcomes.entry(name).or_default() += 1;
        }
        for part in program.clone().roots().into_iter().flat_map(|root| root.parts) {
            self.visit(part.node);
        }
    }

    fn place(&mut self, place: &Place, access: &str) {
        let name = match place {
            Place::Raw(raw, ..) => format!("Raw{}", variant(raw)),
            place => variant(place),
        };
        add(&mut self.places, name + access);
    }

    fn visit(&mut self, node: Node<'_>) {
        match node {
            Node::Expr(e) => {
                add(&mut self.types, variant(&e.ty));
                add(&mut self.expressions, variant(&e.kind));
                match &e.kind {
                    Kind::Bin(op, ..) | Kind::Twice(op, _) => add(&mut self.operations, variant(op)),
                    Kind::Un(un, _) => add(&mut self.operations, variant(un)),
                    Kind::Cmp(cmp, ..) => add(&mut self.operations, variant(cmp)),
                    Kind::Read(place) => self.place(place, "Read"),
                    Kind::Call(callee, _) => add(&mut self.callees, variant(callee)),
                    Kind::DynCall(callee, _) => add(&mut self.callees, format!("Dyn{}", variant(callee))),
                    Kind::Count(count, _) => add(&mut self.operations, format!("Count{}", variant(count))),
                    _ => {}
                }
                Rc::make_mut(e).parts().into_iter().for_each(|part| self.visit(part.node));
            }
            Node::Block(b) => {
                for stmt in Rc::make_mut(b) {
                    add(&mut self.statements, variant(stmt));
                    match stmt {
                        Stmt::Assign(place, _) => self.place(place, "Write"),
                        Stmt::AssignOp(op, place, _) => {
                            add(&mut self.operations, format!("{}Assign", variant(op)));
                            self.place(place, "Update");
                        }
                        Stmt::For(_, _, _, 1.., _) => add(&mut self.statements, "ForUnrolled".to_owned()),
                        Stmt::Region(region) => {
                            region
                                .segments
                                .iter()
                                .for_each(|segment| add(&mut self.segments, format!("{}Segment", variant(segment))));
                        }
                        _ => {}
                    }
                    stmt.parts().into_iter().for_each(|part| self.visit(part.node));
                }
            }
        }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, title: &str, counts: Vec<(&str, u64)>| {
            let total: u64 = counts.iter().map(|c| c.1).sum();
            write!(f, "{title} ({total}):")?;
            for (name, count) in counts {
                write!(f, " {name} {count}")?;
            }
            writeln!(f)
        };
        line(f, "runs", self.outcomes.iter().map(|(&name, &count)| (name, count)).collect())?;
        for (title, counts) in [
            ("types", &self.types),
            ("expressions", &self.expressions),
            ("statements", &self.statements),
            ("places", &self.places),
            ("callees", &self.callees),
            ("segments", &self.segments),
            ("operations", &self.operations),
        ] {
            line(f, title, counts.iter().map(|(name, &count)| (&name[..], count)).collect())?;
        }
        Ok(())
    }
}

impl Statistics {
    /// How often each variant occurred: expressions, statements, operations, types, outcomes.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        let named = [&self.expressions, &self.statements, &self.operations, &self.types];
        let named = named.into_iter().chain([&self.places, &self.callees, &self.segments]);
        let named = named.flatten().map(|(name, &count)| (&name[..], count));
        named.chain(self.outcomes.iter().map(|(&name, &count)| (name, count)))
    }
}
