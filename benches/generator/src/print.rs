//! Programs as source: a Rust function that composes the same fragments in the same way, and compiles them.
//!
//! Every node is a `tick!` of its own, spliced into the next, as in [`crate::stage`]. Variables are named after their number, and no
//! name is used twice where it would be taken for one of an outer quotation, which defers what mentions it.

use std::fmt::Write;

use crate::ast::*;

/// The program as a function `name`, which takes a `&Jit` and the compiled functions that programs call, and returns what
/// `Jit::compile` does.
pub fn source(program: &Program, name: &str) -> String {
    let params = program.params.scalars();
    let list: String = params.iter().enumerate().map(|(i, &ty)| format!("v{i}: {}, ", type_name(ty))).collect();
    let types: String = params.iter().map(|&ty| format!("{}, ", type_name(ty))).collect();
    let result = type_name(program.value.ty);
    let memory_types = "SliceMut<i64>, SliceMut<u8>, SliceMut<f32>, SliceMut<Rec>, RefMut<Rec>";
    let memory = "s: SliceMut<i64>, t: SliceMut<u8>, w: SliceMut<f32>, q: SliceMut<Rec>, r: RefMut<Rec>";
    let mut text = String::new();
    let mut line = |indent: usize, words: &str| {
        writeln!(text, "{:indent$}{words}", "").expect("writing to a string");
    };
    line(0, &format!("fn {name}("));
    line(4, "jit: &Jit,");
    line(4, "functions: &'static [Compiled; 2],");
    line(0, &format!(") -> Result<Func<fn({types}{memory_types}) -> {result}>, Error> {{"));
    for (i, &ty) in program.locals.iter().enumerate() {
        line(4, &format!("let v{} = Var::<{}>::local();", params.len() + i, type_name(ty)));
    }
    line(4, &format!("jit.compile(tick!(|{list}{memory}| -> {result} {{ @({{"));
    let mut printer = Printer { vars: vec![false; params.len() + program.locals.len()], named: 0 };
    for (i, fragment) in program.fragments.iter().enumerate() {
        let (ty, code) = match fragment {
            Fragment::Value(e) => (type_name(e.ty), printer.expr(e)),
            Fragment::Block(b) => ("()", printer.block(b)),
        };
        // What lives for ever can be captured by any number of closures.
        line(8, &format!("let f{i}: &'static Code<'static, {ty}> = Box::leak(Box::new({code}));"));
    }
    line(8, &format!("let body = {};", printer.block(&program.body)));
    line(8, &format!("let value = {};", printer.expr(&program.value)));
    line(8, "tick!({ @body; @value })");
    line(4, "}) }))");
    line(0, "}");
    text
}

fn type_name(ty: Ty) -> &'static str {
    match ty {
        Ty::I64 => "i64",
        Ty::I32 => "i32",
        Ty::I16 => "i16",
        Ty::I8 => "i8",
        Ty::Isize => "isize",
        Ty::U64 => "u64",
        Ty::U32 => "u32",
        Ty::U16 => "u16",
        Ty::U8 => "u8",
        Ty::Usize => "usize",
        Ty::F64 => "f64",
        Ty::F32 => "f32",
        Ty::Bool => "bool",
    }
}

fn literal(ty: Ty, bits: u64) -> String {
    let name = type_name(ty);
    match ty {
        Ty::Bool => (bits != 0).to_string(),
        Ty::F64 | Ty::F32 => format!("{name}::from_bits({bits:#x})"),
        _ if ty.is_signed() => format!("{}{name}", bits as i64),
        _ => format!("{bits}{name}"),
    }
}

fn list(ty: Ty, values: &[u64]) -> String {
    let values: Vec<String> = values.iter().map(|&bits| literal(ty, bits)).collect();
    values.join(", ")
}

fn mem_name(mem: Mem) -> &'static str {
    match mem {
        Mem::S => "s",
        Mem::T => "t",
        Mem::W => "w",
    }
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::X => "x",
        Field::Y => "y",
        Field::Z => "z",
        Field::Flag => "flag",
    }
}

fn sign(op: Op) -> &'static str {
    match op {
        Op::Add => "+",
        Op::Sub => "-",
        Op::Mul => "*",
        Op::And => "&",
        Op::Or => "|",
        Op::Xor => "^",
        Op::Div => "/",
        Op::Rem => "%",
        Op::Shl => "<<",
        Op::Shr => ">>",
        Op::Min | Op::Max | Op::RemEuclid | Op::DivEuclid | Op::RotateLeft | Op::RotateRight => {
            unreachable!("{op:?} is a method")
        }
    }
}

fn binary(op: Op, a: &str, b: &str) -> String {
    let method = match op {
        Op::Min => "min",
        Op::Max => "max",
        Op::RemEuclid => "rem_euclid",
        Op::DivEuclid => "div_euclid",
        Op::RotateLeft => "rotate_left",
        Op::RotateRight => "rotate_right",
        _ => return format!("{a} {} {b}", sign(op)),
    };
    format!("{a}.{method}({b})")
}

fn unary(un: Un, ty: Ty, a: &str) -> String {
    let method = match un {
        Un::Neg if ty.is_float() => return format!("-{a}"),
        Un::Not => return format!("!{a}"),
        Un::Neg => "wrapping_neg",
        Un::Abs if ty.is_float() => "abs",
        Un::Abs => "wrapping_abs",
        Un::SwapBytes => "swap_bytes",
        Un::Signum => "signum",
        Un::Sqrt => "sqrt",
        Un::Floor => "floor",
        Un::Ceil => "ceil",
        Un::Trunc => "trunc",
    };
    format!("{a}.{method}()")
}

const NATIVE: [&str; FUNCTIONS.len()] = ["two", "narrow", "floats", "ten", "twelve"];
const FUNCS: [&str; COMPILED.len()] = ["quotient", "series", "exchange", "mix"];

struct Printer {
    /// Of each variable in scope, whether it is the constant of an unrolled loop.
    vars: Vec<bool>,
    /// How many quotations have names of their own.
    named: usize,
}

impl Printer {
    /// A number for the names of one quotation.
    fn number(&mut self) -> usize {
        self.named += 1;
        self.named
    }

    /// A fragment of one node.
    fn expr(&mut self, e: &Expr) -> String {
        format!("tick!({})", self.node(e))
    }

    /// A fragment spliced.
    fn spliced(&mut self, e: &E) -> String {
        format!("@({})", self.expr(e))
    }

    fn spliced_block(&mut self, b: &Block) -> String {
        format!("@({})", self.block(b))
    }

    fn block(&mut self, b: &Block) -> String {
        // One after the other, each with what comes before it.
        b.iter().fold("tick!(())".to_owned(), |code, stmt| {
            let next = self.stmt(stmt);
            format!("tick!({{ @({code}); @({next}); }})")
        })
    }

    /// What is printed by `print` where one more variable is known, and its name.
    fn with(&mut self, is_constant: bool, print: impl FnOnce(&mut Printer, &str) -> String) -> String {
        let name = format!("v{}", self.vars.len());
        self.vars.push(is_constant);
        let text = print(self, &name);
        self.vars.pop();
        text
    }

    fn node(&mut self, e: &Expr) -> String {
        match &e.kind {
            Kind::Const(bits) => format!("lift!({})", literal(e.ty, *bits)),
            Kind::Var(v) if self.vars[*v] => format!("lift!(v{v})"),
            Kind::Var(v) => format!("@v{v}"),
            Kind::Bin(op, a, b) => binary(*op, &self.spliced(a), &self.spliced(b)),
            Kind::Twice(op, a) => {
                let code = self.expr(a);
                let both = binary(*op, "@a", "@b");
                format!("@({{ let a = {code}; let b = a.clone(); tick!({both}) }})")
            }
            Kind::Un(un, a) => unary(*un, e.ty, &self.spliced(a)),
            Kind::Count(count, a) => {
                let method = match count {
                    Count::Ones => "count_ones",
                    Count::Zeros => "count_zeros",
                    Count::Leading => "leading_zeros",
                    Count::Trailing => "trailing_zeros",
                };
                format!("{}.{method}()", self.spliced(a))
            }
            Kind::Cast(a) => format!("{} as {}", self.spliced(a), type_name(e.ty)),
            Kind::Cmp(cmp, a, b) => {
                let sign = match cmp {
                    Cmp::Eq => "==",
                    Cmp::Ne => "!=",
                    Cmp::Lt => "<",
                    Cmp::Le => "<=",
                    Cmp::Gt => ">",
                    Cmp::Ge => ">=",
                };
                format!("{} {sign} {}", self.spliced(a), self.spliced(b))
            }
            Kind::Multiple(a, b, want) => {
                let sign = if *want { "==" } else { "!=" };
                format!("{} % {} {sign} 0", self.spliced(a), self.spliced(b))
            }
            Kind::IsNan(a) => format!("{}.is_nan()", self.spliced(a)),
            Kind::ToBits(a) => {
                let (a, k) = (self.spliced(a), self.number());
                format!("{{ let x{k} = {a}; if x{k}.is_nan() {{ 0 }} else {{ x{k}.to_bits() }} }}")
            }
            Kind::FromBits(a) => format!("{}::from_bits({})", type_name(e.ty), self.spliced(a)),
            Kind::And(a, b) => format!("{} && {}", self.spliced(a), self.spliced(b)),
            Kind::Or(a, b) => format!("{} || {}", self.spliced(a), self.spliced(b)),
            Kind::If(c, a, b) => {
                format!("if {} {{ {} }} else {{ {} }}", self.spliced(c), self.spliced(a), self.spliced(b))
            }
            Kind::IfConst(c, a, b) => {
                format!("if lift!({c}) {{ {} }} else {{ {} }}", self.spliced(a), self.spliced(b))
            }
            Kind::Match(x, a, b, c, last) => {
                let [x, a, b, c] = [x, a, b, c].map(|e| self.spliced(e));
                self.with(false, |p, v| {
                    let last = p.spliced(last);
                    format!("move match {x} {{ 0 => {a}, 1 | 7 => {b}, 2..=5 => {c}, {v} => {last}, }}")
                })
            }
            Kind::MatchConst(n, a, b, c) => {
                let [a, b, c] = [a, b, c].map(|e| self.spliced(e));
                format!("move match lift!({n}u64) {{ 0 => {a}, 1 | 2 => {b}, _ => {c}, }}")
            }
            Kind::Block(b, value) => format!("{{ {}; {} }}", self.spliced_block(b), self.spliced(value)),
            Kind::Let(init, body) => {
                let init = self.spliced(init);
                self.with(false, |p, v| format!("move {{ let mut {v} = {init}; {} }}", p.spliced(body)))
            }
            Kind::Bare(x, a, b) => {
                let [x, a, b] = [x, a, b].map(|e| self.spliced(e));
                let mix = if e.ty.is_float() { "+" } else { "^" };
                let k = self.number();
                let (w, i, j, c) = (format!("w{k}"), format!("i{k}"), format!("j{k}"), format!("c{k}"));
                format!(
                    "{{ let mut {w} = {x}; let {i} = {a}; let {j} = {b}; {w} = {w} * {i} {mix} {j}; {w} = {w} - {i}; \
                     let {c} = {w}; {c} + {j} }}"
                )
            }
            Kind::LoopValue(limit, a, block, c, b) => {
                let [a, b, c] = [a, b, c].map(|e| self.spliced(e));
                let (block, k) = (self.spliced_block(block), self.number());
                format!(
                    "{{ let mut n{k} = 0u32; loop {{ n{k} += 1; if n{k} > lift!({limit}u32) {{ break {a}; }} {block}; \
                     if {c} {{ break {b}; }} }} }}"
                )
            }
            Kind::Load(mem, i) => format!("@{}[{}]", mem_name(*mem), self.spliced(i)),
            Kind::Len(mem) => format!("@{}.len()", mem_name(*mem)),
            Kind::Field(field) => format!("@r.{}", field_name(*field)),
            Kind::Element(i) => format!("@r.a[{}]", self.spliced(i)),
            Kind::Row(i, field) => format!("@q[{}].{}", self.spliced(i), field_name(*field)),
            Kind::Table(table, i) => {
                let (ty, table) = (type_name(e.ty), list(e.ty, table));
                format!("lift!(std::sync::Arc::<[{ty}]>::from([{table}]))[{}]", self.spliced(i))
            }
            Kind::Call(f, args) => {
                let args: Vec<String> = args.iter().map(|a| self.spliced(a)).collect();
                format!("{}({})", NATIVE[*f], args.join(", "))
            }
            Kind::CallCompiled(f, other, args) => {
                let slice = if *f == 2 { Some("@s".to_owned()) } else { None };
                let args: Vec<String> = slice.into_iter().chain(args.iter().map(|a| self.spliced(a))).collect();
                let args = args.join(", ");
                format!("lift!(functions[{}].{}.clone())({args})", usize::from(*other), FUNCS[*f])
            }
            Kind::Fragment(f) => format!("@(f{f}.clone())"),
            Kind::ReturnIf(c, r, v) => {
                let [c, r, v] = [c, r, v].map(|e| self.spliced(e));
                format!("{{ if {c} {{ @(tick!(return {r})); }} {v} }}")
            }
        }
    }

    fn stmt(&mut self, stmt: &Stmt) -> String {
        format!("tick!({})", self.stmt_node(stmt))
    }

    fn stmt_node(&mut self, stmt: &Stmt) -> String {
        match stmt {
            Stmt::Assign(v, e) => format!("@v{v} = {}", self.spliced(e)),
            Stmt::AssignOp(op, v, e) => format!("@v{v} {}= {}", sign(*op), self.spliced(e)),
            Stmt::Store(mem, i, e) => format!("@{}[{}] = {}", mem_name(*mem), self.spliced(i), self.spliced(e)),
            Stmt::StoreOp(op, mem, i, e) => {
                format!("@{}[{}] {}= {}", mem_name(*mem), self.spliced(i), sign(*op), self.spliced(e))
            }
            Stmt::SetField(field, e) => format!("@r.{} = {}", field_name(*field), self.spliced(e)),
            Stmt::FieldOp(op, field, e) => format!("@r.{} {}= {}", field_name(*field), sign(*op), self.spliced(e)),
            Stmt::SetElement(i, e) => format!("@r.a[{}] = {}", self.spliced(i), self.spliced(e)),
            Stmt::SetRow(i, field, e) => {
                format!("@q[{}].{} = {}", self.spliced(i), field_name(*field), self.spliced(e))
            }
            Stmt::If(c, a, b) => {
                let (c, a, b) = (self.spliced(c), self.spliced_block(a), self.spliced_block(b));
                format!("if {c} {{ {a}; }} else {{ {b}; }}")
            }
            Stmt::While(limit, c, a, skip, b) => {
                let (c, skip) = (self.spliced(c), self.spliced(skip));
                let (a, b) = (self.spliced_block(a), self.spliced_block(b));
                let k = self.number();
                format!(
                    "{{ let mut n{k} = 0u32; while n{k} < lift!({limit}u32) && {c} {{ n{k} += 1; {a}; \
                     if {skip} {{ continue; }} {b}; }} }}"
                )
            }
            Stmt::Loop(limit, a, c, b) => {
                let (a, c, b) = (self.spliced_block(a), self.spliced(c), self.spliced_block(b));
                let k = self.number();
                format!(
                    "{{ let mut n{k} = 0u8; loop {{ n{k} += 1; if n{k} as u32 > lift!({limit}u32) {{ break; }} {a}; \
                     if {c} {{ break; }} {b}; }} }}"
                )
            }
            Stmt::For(from, to, inclusive, body) => {
                let (from, to) = (self.spliced(from), self.spliced(to));
                let dots = if *inclusive { "..=" } else { ".." };
                self.with(false, |p, v| {
                    format!("move for {v} in {from} & 3{dots}{to} & 7 {{ {} }}", p.spliced_block(body))
                })
            }
            Stmt::ForVar(to, body) => {
                self.with(false, |p, v| format!("move for {v} in 0..@v{to} {{ {} }}", p.spliced_block(body)))
            }
            Stmt::ForLen(mem, body) => self.with(false, |p, v| {
                format!("move for {v} in 0..@{}.len() {{ {} }}", mem_name(*mem), p.spliced_block(body))
            }),
            Stmt::Unroll(ty, values, body) => {
                let values = list(*ty, values);
                let ty = type_name(*ty);
                self.with(true, |p, v| {
                    let body = p.spliced_block(body);
                    format!("move for {v} in lift!(Vec::<{ty}>::from([{values}])) {{ {body} }}")
                })
            }
            Stmt::Labelled(limit, c, d, body) => {
                let (c, d) = (self.spliced(c), self.spliced(d));
                self.with(false, |p, v| {
                    let (body, k) = (p.spliced_block(body), p.number());
                    format!(
                        "move {{ let mut n{k} = 0u32; 'outer: while n{k} < lift!({limit}u32) {{ n{k} += 1; for {v} in 0..3usize {{ \
                         if {c} {{ break 'outer; }} if {d} {{ continue 'outer; }} {body} }} }} }}"
                    )
                })
            }
            Stmt::Fragment(f) => format!("@(f{f}.clone())"),
            Stmt::Return(e) => format!("return {}", self.spliced(e)),
            Stmt::Discard(e) => format!("{{ {}; }}", self.spliced(e)),
            Stmt::Trap(e) => format!("trap({})", self.spliced(e)),
        }
    }
}
