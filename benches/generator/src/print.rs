//! Programs as source: a Rust function that composes the same fragments in the same way, and compiles them.
//!
//! Every node is a `tick!` of its own, spliced into the next, as in [`crate::stage`]. Variables are named after their number, and no
//! name is used twice where it would be taken for one of an outer quotation, which defers what mentions it.

use std::fmt::Write;

use crate::ast::*;
use crate::eval::size;

const MEMORY_TYPES: &str = "SliceMut<i64>, SliceMut<u8>, SliceMut<f32>, SliceMut<Rec>, RefMut<Rec>";
const MEMORY: &str = "s: SliceMut<i64>, t: SliceMut<u8>, w: SliceMut<f32>, q: SliceMut<Rec>, r: RefMut<Rec>";

/// The program as a function `name`, which takes a `&Jit` and the [`Callees`](crate::functions::Callees), and returns what
/// `Jit::compile` does.
pub fn source(program: &Program, name: &str) -> String {
    let params = program.params.scalars();
    // The raw pointer is a parameter where there is room for it.
    let (pointer, pointer_type) = match program.params {
        Params::Few => (", p: *mut u8", ", *mut u8"),
        Params::Many => ("", ""),
    };
    let named = |params: &[Ty]| -> String {
        params.iter().enumerate().map(|(i, &ty)| format!("v{i}: {}, ", type_name(ty))).collect()
    };
    let types = |params: &[Ty]| -> String { params.iter().map(|&ty| format!("{}, ", type_name(ty))).collect() };
    let result = type_name(program.value.ty);
    let mut text = String::new();
    let mut line = |indent: usize, words: &str| {
        writeln!(text, "{:indent$}{words}", "").expect("writing to a string");
    };
    line(0, &format!("fn {name}("));
    line(4, "jit: &Jit,");
    line(4, "callees: &'static Callees,");
    line(0, &format!(") -> Result<Func<fn({}{MEMORY_TYPES}{pointer_type}) -> {result}>, Error> {{", types(params)));
    line(4, "let passed = Var::<u32>::local();");
    line(4, "let p = callees.pointer();");
    let locals = |first: usize| -> String {
        let local = |(i, &ty): (usize, &Ty)| format!("let v{} = Var::<{}>::local(); ", first + i, type_name(ty));
        program.locals.iter().enumerate().map(local).collect()
    };
    if !program.functions.is_empty() {
        line(4, "let mut group = jit.group();");
    }
    for (f, (params, result)) in OWN.into_iter().enumerate().take(program.functions.len()) {
        let (types, result) = (types(params), type_name(result));
        line(4, &format!("let g{f} = group.declare::<fn(u32, {MEMORY_TYPES}, {types}) -> {result}>();"));
    }
    for (f, function) in program.functions.iter().enumerate() {
        let (params, result) = OWN[f];
        let (named, result, locals) = (named(params), type_name(result), locals(params.len()));
        line(4, &format!("group.define(g{f}, tick!(|depth: u32, {MEMORY}, {named}| -> {result} {{ @({{"));
        line(8, &locals);
        let vars = vec![false; params.len() + program.locals.len()];
        let mut printer = Printer { vars, in_function: true, ..Printer::default() };
        line(8, &format!("let body = {};", printer.block(&function.body)));
        line(8, &format!("let value = {};", printer.expr(&function.value)));
        line(8, "tick!({ @body; @value })");
        line(4, "}) }));");
    }
    line(4, &locals(params.len()));
    line(4, &format!("let main = tick!(|{}{MEMORY}{pointer}| -> {result} {{ @({{", named(params)));
    let vars = vec![false; params.len() + program.locals.len()];
    let mut printer = Printer { vars, pointer_is_variable: !pointer.is_empty(), ..Printer::default() };
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
    line(4, "}) });");
    if program.functions.is_empty() {
        line(4, "jit.compile(main)");
    } else {
        line(4, "let declared = group.declare();");
        line(4, "group.define(declared, main);");
        line(4, "group.compile()?.get(declared)");
    }
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
        _ => unreachable!("{op:?} is a method"),
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
        Op::SaturatingAdd => "saturating_add",
        Op::SaturatingSub => "saturating_sub",
        Op::MulHi => "mul_hi",
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
        Un::Round => "round",
        Un::RoundTiesEven => "round_ties_even",
    };
    format!("{a}.{method}()")
}

const NATIVE_NAMES: [&str; NATIVE.len()] = ["two", "narrow", "floats", "ten", "twelve"];
const COMPILED_NAMES: [&str; COMPILED.len()] = ["quotient", "series", "exchange", "mix", "even", "dynamic"];
const HOST_NAMES: [&str; HOST.len()] = ["journal", "weigh", "picky", "peek", "dozen", "again"];

/// Parameters and result of a function as a type.
fn pointer_type(params: &[Ty], result: Ty) -> String {
    let params: Vec<&str> = params.iter().map(|&ty| type_name(ty)).collect();
    format!("extern \"C\" fn({}) -> {}", params.join(", "), type_name(result))
}

#[derive(Default)]
struct Printer {
    /// Of each variable in scope, whether it is the constant of an unrolled loop.
    vars: Vec<bool>,
    /// How many labels are in scope.
    labels: usize,
    /// Whether in one of the program's own functions.
    in_function: bool,
    /// Whether the raw pointer is a parameter.
    pointer_is_variable: bool,
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
            Kind::Read(place) => self.read(place),
            Kind::Len(mem) => format!("@{}.len()", mem_name(*mem)),
            Kind::Table(table, i) => {
                let (ty, table) = (type_name(e.ty), list(e.ty, table));
                format!("lift!(std::sync::Arc::<[{ty}]>::from([{table}]))[{}]", self.spliced(i))
            }
            Kind::Call(callee, args) => {
                let memory = match callee {
                    Callee::Compiled(2, _) => &["@s"][..],
                    Callee::Host(3) => &["&@s[..]", "&@q[2]"],
                    _ => &[],
                };
                let memory = memory.iter().map(|&arg| arg.to_owned());
                let args: Vec<String> = memory.chain(args.iter().map(|a| self.spliced(a))).collect();
                let args = args.join(", ");
                match callee {
                    Callee::Native(f) => format!("{}({args})", NATIVE_NAMES[*f]),
                    callee => format!("lift!({}.clone())({args})", callee_name(*callee)),
                }
            }
            Kind::DynCall(callee, args) => {
                let callee_text = match callee {
                    &Callee::Native(f) => {
                        format!("({} as {})", NATIVE_NAMES[f], pointer_type(NATIVE[f].0, NATIVE[f].1))
                    }
                    callee => callee_name(*callee),
                };
                let memory = match callee {
                    Callee::Compiled(2, _) => "call.arg(s); ",
                    Callee::Host(3) => "call.arg(tick!(&@s[..])).arg(tick!(&@q[2])); ",
                    _ => "",
                };
                let args: String = args.iter().map(|a| format!("call.arg({}); ", self.expr(a))).collect();
                let ty = type_name(e.ty);
                format!(
                    "@({{ let mut call = tickc::DynCall::new(&{callee_text}); {memory}{args}call.code::<{ty}>() }})"
                )
            }
            Kind::CallOwn(f, args) => {
                let args: Vec<String> = args.iter().map(|a| self.spliced(a)).collect();
                let args = args.join(", ");
                if self.in_function {
                    let zero = if e.ty.is_float() { "0.0" } else { "0" };
                    let call = format!("lift!(g{f})(@depth - 1, @s, @t, @w, @q, @r, {args})");
                    format!("{{ if @depth > 0 {{ {call} }} else {{ {zero} }} }}")
                } else {
                    format!("lift!(g{f})(lift!({}u32), @s, @t, @w, @q, @r, {args})", DEPTH - 1)
                }
            }
            Kind::Fragment(f) => format!("@(f{f}.clone())"),
            Kind::ReturnIf(c, r, v) => {
                let [c, r, v] = [c, r, v].map(|e| self.spliced(e));
                format!("{{ if {c} {{ @(tick!(return {r})); }} {v} }}")
            }
            Kind::GotoIf(c, label, v) => {
                let [c, v] = [c, v].map(|e| self.spliced(e));
                format!("{{ if {c} {{ @(l{label}.goto()); }} {v} }}")
            }
        }
    }

    fn stmt(&mut self, stmt: &Stmt) -> String {
        format!("tick!({})", self.stmt_node(stmt))
    }

    fn stmt_node(&mut self, stmt: &Stmt) -> String {
        match stmt {
            Stmt::Assign(place, e) => {
                let value = self.spliced(e);
                self.write(place, &value)
            }
            Stmt::AssignOp(op, place, e) => {
                let (value, sign) = (self.spliced(e), sign(*op));
                self.place(place, |place| format!("{place} {sign}= {value}"))
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
            Stmt::For(from, to, inclusive, factor, body) => {
                let (from, to) = (self.spliced(from), self.spliced(to));
                let dots = if *inclusive { "..=" } else { ".." };
                let range = format!("{from} & 3{dots}{to} & 7");
                let range = if *factor == 0 { range } else { format!("unroll(lift!({factor}u32), {range})") };
                self.with(false, |p, v| format!("move for {v} in {range} {{ {} }}", p.spliced_block(body)))
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
            Stmt::Log(e) => format!("lift!(callees.host.log.clone())({})", self.spliced(e)),
            Stmt::Region(region) => self.region(region),
            Stmt::Goto(label) => format!("@(l{label}.goto())"),
            Stmt::JumpTable(e, labels) => {
                let labels: Vec<String> = labels.iter().map(|label| format!("l{label}")).collect();
                format!("@(Label::table({}, &[{}]))", self.expr(e), labels.join(", "))
            }
        }
    }

    /// What is printed by `print` of the place, and `unsafe` around it where it takes that.
    fn place(&mut self, place: &Place, print: impl FnOnce(&str) -> String) -> String {
        let place = match place {
            Place::Var(v) => format!("@v{v}"),
            Place::Item(mem, i) => format!("@{}[{}]", mem_name(*mem), self.spliced(i)),
            Place::Part(mem, from, i) => {
                format!("@{}[{}..][{}]", mem_name(*mem), self.spliced(from), self.spliced(i))
            }
            Place::Field(field) => format!("@r.{}", field_name(*field)),
            Place::Element(i) => format!("@r.a[{}]", self.spliced(i)),
            Place::Row(i, field) => format!("@q[{}].{}", self.spliced(i), field_name(*field)),
            Place::Raw(..) => {
                let pointer = self.raw(place);
                return format!("unsafe {{ {} }}", print(&format!("*{pointer}")));
            }
        };
        print(&place)
    }

    /// The pointer to a place behind the raw pointer, of the place's type.
    fn raw(&mut self, place: &Place) -> String {
        let Place::Raw(raw, ty, i) = place else { unreachable!("behind the raw pointer") };
        let (i, name, count) = (self.spliced(i), type_name(*ty), RAW / size(*ty));
        // Where the pointer is not a parameter, it is a constant.
        let p = if self.pointer_is_variable { "@p" } else { "lift!(p)" };
        match raw {
            Raw::Add | Raw::Volatile => format!("({p} as *mut {name}).add({i} & {})", count - 1),
            Raw::Offset => {
                let middle = count / 2;
                format!("({p} as *mut {name}).add({middle}).offset(({i} & {}) as isize - {middle})", count - 1)
            }
            Raw::Unaligned | Raw::Swapped => format!("({p}.add({i} & {}) as *mut {name})", RAW / 2 - 1),
        }
    }

    fn read(&mut self, place: &Place) -> String {
        let &Place::Raw(raw @ (Raw::Volatile | Raw::Unaligned | Raw::Swapped), ty, _) = place else {
            return self.place(place, str::to_owned);
        };
        let pointer = self.raw(place);
        match raw {
            Raw::Volatile => format!("unsafe {{ {pointer}.read_volatile() }}"),
            Raw::Swapped => format!("unsafe {{ {}::from_be({pointer}.read_unaligned()) }}", type_name(ty)),
            _ => format!("unsafe {{ {pointer}.read_unaligned() }}"),
        }
    }

    fn write(&mut self, place: &Place, value: &str) -> String {
        let &Place::Raw(raw, ty, _) = place else {
            return self.place(place, |place| format!("{place} = {value}"));
        };
        let value = match ty {
            Ty::F32 | Ty::F64 => {
                let k = self.number();
                format!("@(tick!({{ let x{k} = {value}; if x{k}.is_nan() {{ 0.0 }} else {{ x{k} }} }}))")
            }
            _ => value.to_owned(),
        };
        let method = match raw {
            Raw::Add | Raw::Offset => return self.place(place, |place| format!("{place} = {value}")),
            Raw::Volatile => "write_volatile",
            Raw::Unaligned | Raw::Swapped => "write_unaligned",
        };
        let value = if raw == Raw::Swapped { format!("{value}.swap_bytes()") } else { value };
        format!("unsafe {{ {}.{method}({value}) }}", self.raw(place))
    }

    fn region(&mut self, region: &Region) -> String {
        let (first, count, k) = (self.labels, region.segments.len(), self.number());
        let end = first + count;
        let labels: String = (first..=end).map(|label| format!("let l{label} = Label::new(); ")).collect();
        let loops: Vec<String> = (0..count)
            .filter(|&i| matches!(region.segments[i], Segment::Loop(..)))
            .map(|i| format!("n{k}_{i}"))
            .collect();
        let counters: String = loops.iter().map(|n| format!("let {n} = Var::<u32>::local(); ")).collect();
        let zeroed: String = loops.iter().map(|n| format!("@{n} = 0; ")).collect();
        self.labels = end + 1;
        let mut code = String::new();
        for (i, segment) in region.segments.iter().enumerate() {
            let (label, limit) = (first + i, region.limit);
            let here =
                format!("@(l{label}.here()); @passed += 1; if @passed > lift!({limit}u32) {{ @(l{end}.goto()) }}");
            code += &match segment {
                Segment::Block(body) => format!("{here} {}; ", self.spliced_block(body)),
                Segment::Loop(rounds, is_while, a, b) => {
                    let (a, b) = (self.spliced_block(a), self.spliced_block(b));
                    if *is_while {
                        format!("while @n{k}_{i} < lift!({rounds}u32) {{ @n{k}_{i} += 1; {a}; {here} {b}; }} ")
                    } else {
                        format!(
                            "loop {{ @n{k}_{i} += 1; if @n{k}_{i} > lift!({rounds}u32) {{ break; }} {a}; {here} {b}; }} "
                        )
                    }
                }
                Segment::Arm(arm) => {
                    let Arm { var, passed, .. } = **arm;
                    let [c, x, y] = [&arm.c, &arm.x, &arm.y].map(|e| self.spliced(e));
                    let [a, b, d] = [&arm.a, &arm.b, &arm.d].map(|stmts| self.spliced_block(stmts));
                    format!(
                        "@v{var} = if @passed != lift!({passed}u32) && {c} {{ {a}; {x} }} else {{ {b}; {here} {d}; {y} }}; "
                    )
                }
            };
        }
        self.labels = first;
        format!("@({{ {labels}{counters}tick!({{ {zeroed}{code}@(l{end}.here()); }}) }})")
    }
}

/// What is called other than by its own name.
fn callee_name(callee: Callee) -> String {
    match callee {
        Callee::Native(f) => NATIVE_NAMES[f].to_owned(),
        Callee::Compiled(f, other) => format!("callees.compiled[{}].{}", usize::from(other), COMPILED_NAMES[f]),
        Callee::Host(f) => format!("callees.host.{}", HOST_NAMES[f]),
    }
}
