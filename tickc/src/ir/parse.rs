//! Reads what [`super::print`] writes.
//!
//! A function that comes out of here keeps N1 and N4, so that it can be run; whether its memory accesses and calls make sense is
//! the writer's business.

use std::collections::HashMap;
use std::fmt::Debug;

use super::print::{condition_name, snake, trap_name, type_name};
use super::{
    Arg, ArgValue, BINARY_OPS, COMPARISONS, CallSite, Condition, Function, Indexed, Op, Record, UNARY_OPS, VOLATILE,
    VReg,
};
use crate::machine::Target;
use crate::trap::TrapKind;
use crate::types::Type;

/// Reads one function.
///
/// # Errors
/// The line, counted from 1, and what is wrong there.
pub(crate) fn parse(text: &str) -> Result<Function, String> {
    let mut parser = Parser::default();
    let mut function = Function::new();
    let mut state = State::Before;
    for (i, line) in text.lines().enumerate() {
        let place = |message: String| format!("line {}: {message}: `{}`", i + 1, line.trim());
        let mut tokens = Tokens::new(line);
        if tokens.is_empty() {
            continue;
        }
        state = match state {
            State::Before => parser.header(&mut function, &mut tokens).map(|()| State::Inside),
            State::Inside if tokens.take("}") => Ok(State::Behind),
            State::Inside => parser.line(&mut function, &mut tokens).map(|()| State::Inside),
            State::Behind => Err("text behind the end of the function".to_owned()),
        }
        .and_then(|state| tokens.end().map(|()| state))
        .map_err(place)?;
    }
    if let State::Before | State::Inside = state {
        return Err("the text ends before the function does".to_owned());
    }
    parser.finish(&mut function)?;
    Ok(function)
}

enum State {
    Before,
    Inside,
    Behind,
}

/// The words and signs of a line.
struct Tokens<'a> {
    rest: Vec<&'a str>,
}

impl<'a> Tokens<'a> {
    fn new(line: &'a str) -> Tokens<'a> {
        let mut rest = Vec::new();
        let mut text = line.trim();
        while let Some(first) = text.chars().next() {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            let word = text.find(|c| !is_word(c)).unwrap_or(text.len());
            let (token, behind) = text.split_at(if word == 0 { first.len_utf8() } else { word });
            rest.push(token);
            text = behind.trim_start();
        }
        rest.reverse();
        Tokens { rest }
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn peek(&self) -> &'a str {
        self.rest.last().copied().unwrap_or("")
    }

    fn next(&mut self) -> Result<&'a str, String> {
        self.rest.pop().ok_or_else(|| "the line ends too early".to_owned())
    }

    /// Takes the token if it comes next.
    fn take(&mut self, token: &str) -> bool {
        let found = self.peek() == token;
        if found {
            self.rest.pop();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(format!("expected `{token}`, found `{}`", self.peek())) }
    }

    fn end(&self) -> Result<(), String> {
        if self.is_empty() { Ok(()) } else { Err(format!("unexpected `{}`", self.peek())) }
    }

    /// A word that begins with `prefix`, and a number.
    fn numbered(&mut self, prefix: char) -> Result<u32, String> {
        let word = self.next()?;
        let number = word.strip_prefix(prefix).and_then(|number| number.parse().ok());
        number.ok_or_else(|| format!("expected `{prefix}` and a number, found `{word}`"))
    }

    fn bits(&mut self) -> Result<u64, String> {
        let word = self.next()?;
        let bits = match (word.strip_prefix("0x"), word.strip_prefix("0b")) {
            (Some(hex), _) => u64::from_str_radix(hex, 16),
            (_, Some(binary)) => u64::from_str_radix(binary, 2),
            _ => word.parse(),
        };
        bits.map_err(|_| format!("expected a number, found `{word}`"))
    }

    fn immediate(&mut self) -> Result<u32, String> {
        let minus = self.take("-");
        let word = self.next()?;
        let number: i64 = word.parse().map_err(|_| format!("expected a number, found `{word}`"))?;
        let number = i32::try_from(if minus { -number } else { number });
        number.map(|number| number as u32).map_err(|_| format!("`{word}` has more than 32 bits"))
    }

    fn flag(&mut self, name: &str) -> Result<bool, String> {
        self.expect(name)?;
        Ok(self.bits()? != 0)
    }

    fn ty(&mut self) -> Result<Type, String> {
        let word = self.next()?;
        find_type(word)
    }
}

fn find_type(name: &str) -> Result<Type, String> {
    let found = Type::ALL.into_iter().find(|&ty| type_name(ty) == name);
    found.ok_or_else(|| format!("no type is named `{name}`"))
}

fn find<T: Copy + Debug>(all: &[T], name: &str) -> Option<T> {
    all.iter().copied().find(|one| snake(one) == name)
}

fn find_condition(name: &str) -> Result<Condition, String> {
    let all = COMPARISONS.map(Condition::of).into_iter().chain([Condition::COMMON_BITS]);
    let found = all.flat_map(|c| [c, c.inverse()]).find(|&c| condition_name(c) == name);
    found.ok_or_else(|| format!("no condition is named `{name}`"))
}

fn find_trap(name: &str) -> Result<u32, String> {
    let found = TrapKind::ALL.into_iter().map(|trap| trap as u32).find(|&trap| trap_name(trap) == name);
    found.ok_or_else(|| format!("no trap is named `{name}`"))
}

/// An immediate field as N3 wants it.
fn canonical(ty: Type, field: u32) -> u32 {
    ty.canonical(field as i32 as u64) as u32
}

/// An operation's second operand.
enum Second {
    Reg(VReg),
    Immediate(u32),
}

/// What refers to labels by their names, until all are known.
#[derive(Default)]
struct Parser {
    /// Index of the record of each label.
    labels: HashMap<u32, u32>,
    /// Jumps, by the index of their records.
    jumps: Vec<usize>,
    /// Switches, likewise.
    switches: Vec<usize>,
}

impl Parser {
    fn header(&mut self, function: &mut Function, t: &mut Tokens<'_>) -> Result<(), String> {
        function.declared = t.take("declared");
        t.expect("fn")?;
        t.expect("(")?;
        while !t.take(")") {
            if !function.params.is_empty() {
                t.expect(",")?;
            }
            let index = function.params.len();
            if t.numbered('v')? as usize != index {
                return Err("parameters are v0, v1, …".to_owned());
            }
            t.expect(":")?;
            function.params.push(t.ty()?);
            if t.take("pair") {
                let pair = 1u32.checked_shl(index as u32).ok_or("no pair starts behind 32 parameters")?;
                function.pairs |= pair;
            }
        }
        t.expect("-")?;
        t.expect(">")?;
        function.ret = t.ty()?;
        function.vregs = function.params.len() as u32;
        t.expect("{")
    }

    fn line(&mut self, function: &mut Function, t: &mut Tokens<'_>) -> Result<(), String> {
        if t.take("zero") {
            let reg = self.reg(function, t)?;
            t.expect(":")?;
            function.zeroed.push((reg, t.ty()?));
            return Ok(());
        }
        if t.peek().starts_with('L') {
            let name = t.numbered('L')?;
            t.expect(":")?;
            if self.labels.insert(name, function.records.len() as u32).is_some() {
                return Err("a label stands twice".to_owned());
            }
            function.records.push(Record { op: Op::Label, ty: Type::Unit, sub: 0, dst: 0, a: 0, b: 0 });
            return Ok(());
        }
        let result = if t.peek().starts_with('v') {
            let reg = self.reg(function, t)?;
            t.expect("=")?;
            Some(reg)
        } else {
            None
        };
        let name = t.next()?;
        let record = self.record(function, t, name, result)?;
        if record.defined() != result {
            return Err(if result.is_some() { "there is no result" } else { "the result goes nowhere" }.to_owned());
        }
        function.records.push(record);
        Ok(())
    }

    fn record(
        &mut self,
        function: &mut Function,
        t: &mut Tokens<'_>,
        name: &str,
        result: Option<VReg>,
    ) -> Result<Record, String> {
        let (name, rest) = name.split_once('.').unwrap_or((name, "unit"));
        // Operations with a condition have one more part.
        let (condition, ty) = match rest.split_once('.') {
            Some((condition, ty)) => (Some(find_condition(condition)?), find_type(ty)?),
            None => (None, find_type(rest)?),
        };
        if condition.is_some() != matches!(name, "set" | "branch" | "trap_if") {
            return Err("a condition where there is none, or none where there must be one".to_owned());
        }
        let mut r = Record { op: Op::Unreachable, ty, sub: condition.map_or(0, |c| c.0), dst: 0, a: 0, b: 0 };
        r.dst = result.unwrap_or_default();
        match name {
            "const" => {
                let bits = t.bits()?;
                (r.op, r.a, r.b) = (Op::Const, bits as u32, (bits >> 32) as u32);
            }
            "copy" => (r.op, r.a) = (Op::Copy, self.reg(function, t)?),
            "convert" | "bitcast" => {
                r.op = if name == "convert" { Op::Convert } else { Op::Bitcast };
                r.a = self.reg(function, t)?;
                t.expect(":")?;
                r.sub = t.ty()? as u16;
            }
            "set" => self.operands(function, t, &mut r, Op::Set, Op::SetImm)?,
            "branch" => {
                self.operands(function, t, &mut r, Op::Branch, Op::BranchImm)?;
                self.jump(function, t, &mut r)?;
            }
            "trap_if" => {
                self.operands(function, t, &mut r, Op::TrapIf, Op::TrapIfImm)?;
                r.dst = find_trap(t.next()?)?;
            }
            "jump" => {
                r.op = Op::Jump;
                self.jump(function, t, &mut r)?;
            }
            "switch" => {
                (r.op, r.a) = (Op::Switch, self.reg(function, t)?);
                t.expect(",")?;
                r.b = u32::try_from(t.bits()?).map_err(|_| "a switch with more than 2^32 targets".to_owned())?;
                self.switches.push(function.records.len());
            }
            "trap" => (r.op, r.dst) = (Op::Trap, find_trap(t.next()?)?),
            "trap_code" => (r.op, r.ty, r.a) = (Op::TrapCode, Type::U32, self.reg(function, t)?),
            "unreachable" => {}
            "load" => self.memory(function, t, &mut r, Op::Load, Op::LoadX)?,
            "load_volatile" => self.volatile(function, t, &mut r, Op::Load)?,
            "store_volatile" => {
                self.volatile(function, t, &mut r, Op::Store)?;
                t.expect(",")?;
                r.dst = self.reg(function, t)?;
            }
            "lea" => self.memory(function, t, &mut r, Op::Lea, Op::LeaX)?,
            "store" => {
                self.memory(function, t, &mut r, Op::Store, Op::StoreX)?;
                t.expect(",")?;
                match self.second(function, t)? {
                    Second::Reg(reg) => r.dst = reg,
                    Second::Immediate(immediate) => {
                        r.op = if r.op == Op::Store { Op::StoreImm } else { Op::StoreXImm };
                        r.dst = canonical(ty, immediate);
                    }
                }
            }
            "call" => {
                r.op = Op::Call;
                r.a = self.call(function, t)?;
            }
            "ret" => {
                r.op = Op::Ret;
                if ty != Type::Unit {
                    r.a = self.reg(function, t)?;
                }
            }
            _ => {
                if let Some(op) = find(&UNARY_OPS, name) {
                    (r.op, r.sub, r.a) = (Op::Unary, op as u16, self.reg(function, t)?);
                } else if let Some(op) = find(&BINARY_OPS, name) {
                    r.sub = op as u16;
                    self.operands(function, t, &mut r, Op::Binary, Op::BinaryImm)?;
                } else {
                    return Err(format!("no operation is named `{name}`"));
                }
            }
        }
        Ok(r)
    }

    fn reg(&mut self, function: &mut Function, t: &mut Tokens<'_>) -> Result<VReg, String> {
        let reg = t.numbered('v')?;
        if reg >= 1 << 24 {
            return Err("registers have numbers below 2^24".to_owned());
        }
        function.vregs = function.vregs.max(reg + 1);
        Ok(reg)
    }

    fn second(&mut self, function: &mut Function, t: &mut Tokens<'_>) -> Result<Second, String> {
        if t.peek().starts_with('v') {
            return Ok(Second::Reg(self.reg(function, t)?));
        }
        Ok(Second::Immediate(t.immediate()?))
    }

    fn operands(
        &mut self,
        function: &mut Function,
        t: &mut Tokens<'_>,
        r: &mut Record,
        plain: Op,
        immediate: Op,
    ) -> Result<(), String> {
        r.a = self.reg(function, t)?;
        t.expect(",")?;
        (r.op, r.b) = match self.second(function, t)? {
            Second::Reg(reg) => (plain, reg),
            Second::Immediate(field) => (immediate, canonical(r.ty, field)),
        };
        Ok(())
    }

    fn jump(&mut self, function: &Function, t: &mut Tokens<'_>, r: &mut Record) -> Result<(), String> {
        r.dst = t.numbered('L')?;
        self.jumps.push(function.records.len());
        Ok(())
    }

    /// The address of a volatile access, which has no index.
    fn volatile(&mut self, function: &mut Function, t: &mut Tokens<'_>, r: &mut Record, op: Op) -> Result<(), String> {
        self.memory(function, t, r, op, Op::LoadX)?;
        if r.op != op {
            return Err("a volatile access with an index".to_owned());
        }
        r.sub = VOLATILE;
        Ok(())
    }

    fn memory(
        &mut self,
        function: &mut Function,
        t: &mut Tokens<'_>,
        r: &mut Record,
        plain: Op,
        indexed: Op,
    ) -> Result<(), String> {
        t.expect("[")?;
        r.a = self.reg(function, t)?;
        let mut sign = if t.take("+") { 1 } else { 0 };
        let mut log2 = None;
        if sign == 1 && t.peek().starts_with('v') {
            r.b = self.reg(function, t)?;
            t.expect("*")?;
            let scale = t.bits()?;
            if ![1, 2, 4, 8].contains(&scale) {
                return Err(format!("a scale of {scale}"));
            }
            log2 = Some(scale.trailing_zeros() as u8);
            sign = if t.take("+") { 1 } else { 0 };
        }
        if sign == 0 && t.take("-") {
            sign = -1;
        }
        let disp = if sign == 0 { 0 } else { sign * t.bits()?.min(1 << 40) as i64 };
        let disp = i32::try_from(disp).map_err(|_| format!("the displacement {disp} has more than 32 bits"))?;
        match log2 {
            None => (r.op, r.b) = (plain, disp as u32),
            Some(log2) => {
                let sub = Indexed::new(log2, disp).ok_or_else(|| format!("the displacement {disp} with an index"))?;
                (r.op, r.sub) = (indexed, sub.0);
            }
        }
        t.expect("]")
    }

    fn call(&mut self, function: &mut Function, t: &mut Tokens<'_>) -> Result<u32, String> {
        let target = match t.next()? {
            "self" => Target::SelfCall,
            "declared" => Target::Declared(t.bits()?),
            "native" => Target::Native(t.bits()?),
            "host" => {
                let data = t.bits()?;
                t.expect("shim")?;
                let shim = t.bits()?;
                t.expect("words")?;
                Target::Host { data, shim, words: t.bits()? }
            }
            "dynamic" => {
                let address = t.bits()?;
                t.expect("program")?;
                let program = t.bits()?;
                let (traps, checks_stack) = (t.flag("traps")?, t.flag("checks_stack")?);
                t.expect("stack")?;
                let stack = u32::try_from(t.bits()?).map_err(|_| "a stack of more than 4 GiB".to_owned())?;
                Target::Dynamic { address, program, traps, checks_stack, stack }
            }
            other => return Err(format!("no call goes to `{other}`")),
        };
        let pairs = t.bits()? as u32;
        let first = function.args.len() as u32;
        t.expect("(")?;
        while !t.take(")") {
            if function.args.len() as u32 > first {
                t.expect(",")?;
            }
            let value = if t.peek().starts_with('v') {
                ArgValue::Reg(self.reg(function, t)?)
            } else {
                ArgValue::Const(t.bits()?)
            };
            t.expect(":")?;
            function.args.push(Arg { ty: t.ty()?, value });
        }
        let len = function.args.len() as u32 - first;
        function.calls.push(CallSite { target, pairs, first, len });
        Ok(function.calls.len() as u32 - 1)
    }

    /// Lets the jumps go to the records of their labels (N1), and looks at the end (N4) and at switches (N6).
    fn finish(self, function: &mut Function) -> Result<(), String> {
        for at in self.jumps {
            let name = function.records[at].dst;
            let Some(&label) = self.labels.get(&name) else { return Err(format!("there is no label L{name}")) };
            function.records[at].dst = label;
        }
        for at in self.switches {
            let count = function.records[at].b as usize;
            let targets = function.records[at + 1..].iter().take_while(|record| record.op == Op::Jump).count();
            if count == 0 || targets < count {
                return Err(format!("{targets} jumps behind a switch with {count} targets"));
            }
        }
        match function.records.last() {
            Some(last) if last.op.terminates() => Ok(()),
            _ => Err("control comes to the end of the function".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every form once.
    const TEXT: &str = "\
declared fn(v0: pointer pair, v1: usize, v2: f64) -> f64 {
    zero v7: i64
    v3 = const.usize 0x0
    v4 = const.f64 0x3ff8000000000000
L2:
    trap_if.ge.usize v3, v1 index_out_of_bounds
    trap_if.not_test.i64 v7, -8 division_by_zero
    v5 = load.f64 [v0 + v3 * 8 + 16]
    v5 = load.f64 [v0 + v3 * 1 - 8192]
    v5 = load.u8 [v0 - 2147483648]
    store.i16 [v0], v7
    store.i16 [v0 + v3 * 2], -5
    store.u64 [v0 + 8], 17
    store.u64 [v0 + v3 * 4], v7
    v7 = load_volatile.u64 [v0 - 8]
    store_volatile.u64 [v0], v7
    v8 = lea.pointer [v0 + 12]
    v8 = lea.pointer [v0 + v3 * 4 + 12]
    v2 = mul.f64 v2, v4
    v3 = add.usize v3, 1
    v3 = rotate_left.usize v3, -1
    v7 = leading_zeros.i64 v7
    v7 = convert.i64 v2: f64
    v7 = bitcast.i64 v2: f64
    v9 = set.not_lt.f64 v2, v4
    v9 = set.test.i64 v7, 4
    v9 = copy.bool v9
    branch.lt.usize v3, v1 L2
    branch.ne.bool v9, 0 L30
    call.unit self 0b1 (v0: pointer, v1: usize, 0x4000000000000000: f64)
    v2 = call.f64 native 0x1000 0b0 ()
    v2 = call.f64 dynamic 0x10 program 0x20 traps 1 checks_stack 0 stack 64 0b0 (v2: f64)
L30:
    switch.u64 v3, 2
    jump L2
    jump L30
    jump L2
    trap stack_overflow
    trap_code v3
    unreachable
    ret.unit
    ret.f64 v2
}
";

    #[test]
    fn every_form_is_read_and_printed_as_it_was() {
        let function = parse(TEXT).unwrap();
        assert_eq!(function.to_string(), TEXT);
        assert_eq!(parse(&function.to_string()).unwrap(), function);
        assert_eq!((function.vregs, function.args.len(), function.calls.len()), (10, 4, 3));
    }

    #[test]
    fn errors_name_their_line() {
        let body = |line: &str| format!("fn(v0: i64) -> i64 {{\n    {line}\n    ret.i64 v0\n}}\n");
        for (line, message) in [
            ("v1 = addd.i64 v0, v0", "line 2: no operation is named `addd`"),
            ("v1 = add.i65 v0, v0", "line 2: no type is named `i65`"),
            ("add.i64 v0, v0", "line 2: the result goes nowhere"),
            ("v1 = store.i64 [v0], v0", "line 2: there is no result"),
            ("v1 = add.i64 v0", "line 2: expected `,`, found ``"),
            ("v1 = add.i64 v0, 5000000000", "line 2: `5000000000` has more than 32 bits"),
            ("v1 = add.i64 v0, v0 v0", "line 2: unexpected `v0`"),
            ("v1 = load.i64 [v0 + v0 * 3]", "line 2: a scale of 3"),
            ("v1 = load_volatile.i64 [v0 + v0 * 8]", "line 2: a volatile access with an index"),
            ("v1 = load.i64 [v0 + v0 * 8 + 8192]", "line 2: the displacement 8192 with an index"),
            ("v1 = load.i64 [v0 - 99999999999]", "line 2: the displacement -99999999999 has more than 32 bits"),
            ("switch.u64 v0, 1", "0 jumps behind a switch with 1 targets"),
            ("switch.u64 v0, 0", "0 jumps behind a switch with 0 targets"),
            ("switch.u64 v0, 4294967296", "line 2: a switch with more than 2^32 targets"),
            ("branch.lt.i64 v0, 1 L7", "there is no label L7"),
            ("branch.i64 v0, 1 L7", "line 2: a condition where there is none"),
            ("trap_if.often.i64 v0, 1 stack_overflow", "line 2: no condition is named `often`"),
            ("trap boredom", "line 2: no trap is named `boredom`"),
            ("v1 = call.i64 home 0b0 ()", "line 2: no call goes to `home`"),
            ("v99999999 = copy.i64 v0", "line 2: registers have numbers below 2^24"),
            ("}", "line 3: text behind the end of the function"),
            ("v1 =", "line 2: the line ends too early"),
            ("v1 = const.i64 0xfffff_", "line 2: expected a number, found `0xfffff_`"),
            ("§", "line 2: no operation is named `§`"),
        ] {
            let error = parse(&body(line)).unwrap_err();
            assert!(error.starts_with(message), "{line}: {error}");
        }
        assert_eq!(parse("").unwrap_err(), "the text ends before the function does");
        let pairs: Vec<_> = (0..33).map(|i| format!("v{i}: u64{}", if i == 32 { " pair" } else { "" })).collect();
        let late = parse(&format!("fn({}) -> unit {{\nret.unit\n}}", pairs.join(", "))).unwrap_err();
        assert!(late.starts_with("line 1: no pair starts behind 32 parameters"), "{late}");
        assert_eq!(parse("fn() -> unit {\n}").unwrap_err(), "control comes to the end of the function");
        assert_eq!(parse("fn() -> unit {\nL1:\nL1:\n").unwrap_err(), "line 3: a label stands twice: `L1:`");
    }

    /// Text with mistakes anywhere is refused, or read as something that is printed as it will be read again.
    #[test]
    fn no_text_is_too_odd() {
        let mut read = 0;
        for i in 0..TEXT.len() {
            let (before, behind) = (&TEXT[..i], &TEXT[i..]);
            let without = &behind[1..];
            let line_twice = behind.split_inclusive('\n').next().unwrap_or_default();
            for text in [
                before.to_owned(),
                format!("{before}{without}"),
                format!("{before}9{without}"),
                format!("{before}v{behind}"),
                format!("{before}-{behind}"),
                format!("{before}{line_twice}{behind}"),
            ] {
                if let Ok(function) = parse(&text) {
                    let printed = function.to_string();
                    assert_eq!(parse(&printed).map(|function| function.to_string()).as_ref(), Ok(&printed), "{text}");
                    read += 1;
                }
            }
        }
        assert!(read > 100, "{read}");
    }
}
