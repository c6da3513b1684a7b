//! Lines without macros to a [`Program`].

use std::collections::HashMap;

use super::expr::expression;
use super::lexer::{Kind, Token};
use super::{AsmError, AsmOptions};
use crate::binary::MAX_TYPES;
use crate::names::Names;
use crate::opcode::{ARGUMENTS, COMPARISONS, CREDENTIALS, Form, Op, OperandKind};
use crate::program::{self, Header, Inst, Operand, Program, flags};

const DIRECTIVES: [&str; 10] =
    ["kind", "unit", "fuel", "group", "const", "type", "strict", "macro", "endm", "endmacro"];
/// The fuel of a text without `.fuel`.
const DEFAULT_FUEL: u64 = 1_000_000;

/// Reads the tokens of one line.
pub(super) struct Cursor<'a> {
    text: &'a str,
    tokens: &'a [Token],
    position: usize,
    constants: &'a HashMap<String, Constant>,
}

/// The value of a name.
pub(super) struct Constant {
    value: i128,
    /// Given from outside: `.const` does not change it.
    given: bool,
    used: std::cell::Cell<bool>,
}

impl<'a> Cursor<'a> {
    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.position)
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek()?;
        self.position += 1;
        Some(token)
    }

    /// Where the next token is, or would be.
    fn place(&self) -> (u32, u32) {
        match (self.peek(), self.tokens.last()) {
            (Some(token), _) => token.place,
            (None, Some(last)) => (last.place.0, last.place.1 + last.text().chars().count() as u32),
            (None, None) => (1, 1),
        }
    }

    pub(super) fn error(&self, message: String) -> AsmError {
        self.error_at(self.place(), message)
    }

    pub(super) fn error_at(&self, place: (u32, u32), message: String) -> AsmError {
        AsmError::new(self.text, place, message)
    }

    /// Takes a symbol if it is next.
    fn take(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is(symbol));
        self.position += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Result<(), AsmError> {
        if self.take(symbol) {
            return Ok(());
        }
        let found = self.peek().map_or("the end of the line".to_owned(), |token| format!("`{}`", token.text()));
        Err(self.error(format!("expected `{symbol}`, found {found}")))
    }

    fn expect_end(&self) -> Result<(), AsmError> {
        match self.peek() {
            None => Ok(()),
            Some(token) => Err(self
                .error(format!("`{}` is too much here", token.text()))
                .help("an instruction ends with its line; a comment starts with `;`")),
        }
    }

    /// The value of a name.
    pub(super) fn constant(&self, name: &str, place: (u32, u32)) -> Result<i128, AsmError> {
        if let Some(constant) = self.constants.get(name) {
            constant.used.set(true);
            return Ok(constant.value);
        }
        if register_of(name).is_some() {
            return Err(self.error_at(place, format!("the register {name} cannot stand in a constant expression")));
        }
        let error = self.error_at(place, format!("`{name}` is not defined"));
        let error = error.nearest(name, self.constants.keys().map(String::as_str));
        Err(if error.has_help() { error } else { error.help(format!("define it above: `.const {name} = …`")) })
    }

    /// An expression as 64 bits.
    fn immediate(&mut self) -> Result<u64, AsmError> {
        let place = self.place();
        let value = expression(self)?;
        let bits = u64::try_from(value).ok().or_else(|| i64::try_from(value).ok().map(|v| v as u64));
        bits.ok_or_else(|| self.error_at(place, format!("{value} does not fit 64 bits")))
    }

    /// An expression of at most `limit`.
    fn up_to(&mut self, limit: u64, what: &str) -> Result<u64, AsmError> {
        let place = self.place();
        let value = expression(self)?;
        u64::try_from(value)
            .ok()
            .filter(|&v| v <= limit)
            .ok_or_else(|| self.error_at(place, format!("{what} is {value}: it must be 0 to {limit}")))
    }

    fn word(&mut self, what: &str) -> Result<(&'a str, (u32, u32)), AsmError> {
        match self.next() {
            Some(Token { kind: Kind::Word(word), place }) => Ok((word, *place)),
            Some(token) => Err(self.error_at(token.place, format!("expected {what}, found `{}`", token.text()))),
            None => Err(self.error(format!("{what} is missing here"))),
        }
    }

    fn register(&mut self) -> Result<u8, AsmError> {
        let (word, place) = self.word("a register")?;
        match register_of(word) {
            Some(number @ 0..32) => Ok(number as u8),
            found => {
                let message = if found.is_some() {
                    format!("there is no register {word}")
                } else {
                    format!("expected a register, found `{word}`")
                };
                Err(self.error_at(place, message).help("the registers are r0 to r31"))
            }
        }
    }

    /// Whether the next token is written like a register.
    fn at_register(&self) -> bool {
        matches!(self.peek(), Some(Token { kind: Kind::Word(word), .. }) if register_of(word).is_some())
    }

    fn value(&mut self) -> Result<Operand, AsmError> {
        if self.at_register() {
            return Ok(Operand::Reg(self.register()?));
        }
        Ok(Operand::Imm(self.immediate()?))
    }

    /// `[rb + imm]`, `[rb - imm]`, `[rb]`, `[imm]`
    fn address(&mut self) -> Result<(Operand, Operand), AsmError> {
        self.expect("[")?;
        let base = if self.at_register() { Operand::Reg(self.register()?) } else { Operand::None };
        let offset = match base {
            Operand::None => self.immediate()?,
            _ if self.peek().is_some_and(|token| token.is("+")) => {
                self.next();
                if self.at_register() {
                    return Err(self
                        .error("an address has one register".to_owned())
                        .help("compute the sum in a register of its own, with `add`"));
                }
                self.immediate()?
            }
            // What follows is an expression that starts with its sign.
            _ if self.peek().is_some_and(|token| token.is("-")) => self.immediate()?,
            _ => 0,
        };
        self.expect("]")?;
        Ok((base, Operand::Imm(offset)))
    }
}

/// The number of a name that is written like a register.
fn register_of(word: &str) -> Option<u64> {
    let digits = word.strip_prefix('r')?;
    let canonical = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    canonical.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// Parses one expression that is all of a line.
pub(super) fn constant(text: &str, tokens: &[Token]) -> Result<i128, AsmError> {
    let mut cursor = Cursor { text, tokens, position: 0, constants: &HashMap::new() };
    let value = expression(&mut cursor)?;
    cursor.expect_end()?;
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    header: Header,
    constants: HashMap<String, Constant>,
    /// Name and member of each type, in the order of the text.
    types: Vec<(String, u32)>,
    /// Index in `types` of a name.
    type_index: HashMap<String, usize>,
    insts: Vec<Inst>,
    /// Place of each instruction.
    places: Vec<(u32, u32)>,
}

/// Parses a whole text.
pub(super) fn parse(text: &str, lines: &[Vec<Token>], options: &AsmOptions) -> Result<(Program, Names), AsmError> {
    let given = |&(ref name, value): &(String, i128)| {
        (name.clone(), Constant { value, given: true, used: std::cell::Cell::new(false) })
    };
    let mut parser = Parser {
        text,
        header: Header { fuel: DEFAULT_FUEL, ..Header::default() },
        constants: options.constants.iter().map(given).collect(),
        types: Vec::new(),
        type_index: HashMap::new(),
        insts: Vec::new(),
        places: Vec::new(),
    };
    for line in lines {
        match &line[0].kind {
            Kind::Directive(name) => parser.directive(name, line)?,
            Kind::Word(word) => parser.instruction(word, line)?,
            _ => {
                let message = format!("expected an instruction, found `{}`", line[0].text());
                return Err(AsmError::new(text, line[0].place, message));
            }
        }
    }
    for (name, constant) in &parser.constants {
        if constant.given && !constant.used.get() {
            let message = format!("the text has no constant `{name}` to give a value to");
            let others = parser.constants.keys().filter(|other| *other != name).map(String::as_str);
            return Err(AsmError::new(text, (1, 1), message).nearest(name, others).of_unknown_constant(name));
        }
    }
    Ok(parser.finish())
}

impl<'a> Parser<'a> {
    fn cursor<'b>(&'b self, line: &'b [Token]) -> Cursor<'b>
    where
        'a: 'b,
    {
        Cursor { text: self.text, tokens: line, position: 1, constants: &self.constants }
    }

    fn directive(&mut self, name: &str, line: &[Token]) -> Result<(), AsmError> {
        let mut cursor = self.cursor(line);
        let mut header = self.header;
        match name {
            "kind" => {
                let (word, place) = cursor.word("owns, acl or size")?;
                let kind = program::Kind::ALL.into_iter().find(|kind| kind.name() == word);
                header.kind = kind.ok_or_else(|| {
                    cursor
                        .error_at(place, format!("there is no kind `{word}`"))
                        .help("the kinds are owns, acl and size")
                })?;
            }
            "unit" => header.unit = cursor.up_to(u64::from(u32::MAX), "the unit")? as u32,
            "group" => header.group = cursor.up_to(u64::from(u32::MAX), "the group")? as u32,
            "fuel" => header.fuel = cursor.up_to(u64::MAX, "the fuel")?,
            "strict" => header.flags |= flags::STRICT,
            "const" => return self.define_constant(line),
            "type" => return self.define_type(line),
            _ => {
                let error = cursor.error_at(line[0].place, format!("there is no directive `.{name}`"));
                return Err(error.nearest(name, DIRECTIVES));
            }
        }
        cursor.expect_end()?;
        self.header = header;
        Ok(())
    }

    fn define_constant(&mut self, line: &[Token]) -> Result<(), AsmError> {
        let mut cursor = self.cursor(line);
        let (name, place) = cursor.word("a name")?;
        cursor.expect("=")?;
        let value = expression(&mut cursor)?;
        cursor.expect_end()?;
        if register_of(name).is_some() {
            return Err(cursor.error_at(place, format!("`{name}` is a register and cannot name a constant")));
        }
        match self.constants.get(name) {
            Some(constant) if constant.given => constant.used.set(true),
            Some(_) => return Err(cursor.error_at(place, format!("the constant `{name}` is defined twice"))),
            None => {
                let constant = Constant { value, given: false, used: std::cell::Cell::new(false) };
                self.constants.insert(name.to_owned(), constant);
            }
        }
        Ok(())
    }

    /// `.type NAME` or `.type NAME = member`; without a number, the next one.
    fn define_type(&mut self, line: &[Token]) -> Result<(), AsmError> {
        let mut cursor = self.cursor(line);
        let (name, place) = cursor.word("a name")?;
        let next = self.types.iter().map(|&(_, member)| u64::from(member) + 1).max().unwrap_or(0);
        let member = if cursor.take("=") { cursor.up_to(u64::from(u32::MAX), "the member")? } else { next };
        cursor.expect_end()?;
        let error = |message| Err(cursor.error_at(place, message));
        let Ok(member) = u32::try_from(member) else {
            return error(format!("`{name}` needs a number: `.type {name} = …`"));
        };
        if self.type_index.contains_key(name) {
            return error(format!("the type `{name}` is declared twice"));
        }
        if let Some((other, _)) = self.types.iter().find(|&&(_, other)| other == member) {
            return error(format!("the types `{other}` and `{name}` are both member {member} of the group"));
        }
        if self.types.len() == MAX_TYPES {
            return error(format!("a function names at most {MAX_TYPES} types"));
        }
        let name = name.to_owned();
        self.type_index.insert(name.clone(), self.types.len());
        self.types.push((name, member));
        Ok(())
    }

    fn instruction(&mut self, word: &str, line: &[Token]) -> Result<(), AsmError> {
        let place = line[0].place;
        let mut cursor = self.cursor(line);
        let inst = if word == "if" { self.comparison(&mut cursor)? } else { self.plain(word, place, &mut cursor)? };
        cursor.expect_end()?;
        match (inst.op, inst.x) {
            (Op::Arg, Operand::Imm(0)) => self.header.flags |= flags::READS_BLOCK,
            (Op::Arg, Operand::Imm(1)) => self.header.flags |= flags::READS_UNIT,
            _ => {}
        }
        self.insts.push(inst);
        self.places.push(place);
        Ok(())
    }

    fn comparison(&self, cursor: &mut Cursor<'_>) -> Result<Inst, AsmError> {
        let x = cursor.value()?;
        let found = COMPARISONS.iter().find(|(symbol, _)| cursor.peek().is_some_and(|token| token.is(symbol)));
        let Some(&(symbol, op)) = found else {
            return Err(cursor
                .error("expected a comparison here".to_owned())
                .help("the comparisons are == != < <= > >=, unsigned"));
        };
        cursor.expect(symbol)?;
        let y = cursor.value()?;
        Ok(Inst { op, a: 0, x, y, slot: 0, link: 0 })
    }

    fn plain(&self, word: &str, place: (u32, u32), cursor: &mut Cursor<'_>) -> Result<Inst, AsmError> {
        let Some(op) = Op::from_mnemonic(word) else {
            let names = Op::ALL.iter().map(|op| op.mnemonic());
            let error = cursor.error_at(place, format!("there is no instruction `{word}`")).nearest(word, names);
            return Err(match word {
                "ld2" | "ld4" | "ld8" => {
                    error.help(format!("say in which order the bytes are: `{word}le` or `{word}be`"))
                }
                "mov" => error.help("did you mean `mv`?"),
                _ => error,
            });
        };
        let form = op.form();
        let mut inst = Inst { op, a: 0, x: Operand::None, y: Operand::None, slot: 0, link: 0 };
        let [kind_x, kind_y] = form.operands();
        let mut first = true;
        if form.writes() {
            inst.a = cursor.register()?;
            first = false;
        }
        if let Form::Load { .. } = form {
            cursor.expect(",")?;
            (inst.x, inst.y) = cursor.address()?;
            return Ok(inst);
        }
        for (operand, kind) in [(&mut inst.x, kind_x), (&mut inst.y, kind_y)] {
            if kind == OperandKind::None {
                continue;
            }
            if !first {
                cursor.expect(",")?;
            }
            first = false;
            *operand = match (kind, form) {
                (OperandKind::Value, _) => cursor.value()?,
                (_, Form::Argument) => Operand::Imm(
                    cursor
                        .up_to(ARGUMENTS - 1, "the argument's number")
                        .map_err(|error| error.help("0 is the block's number, 1 the size of a unit in bytes"))?,
                ),
                (_, Form::Credential) => Operand::Imm(cursor.up_to(CREDENTIALS - 1, "the credential's number")?),
                (_, Form::Fail) => Operand::Imm(cursor.up_to(u64::from(u32::MAX), "the reason")?),
                _ => Operand::Imm(cursor.immediate()?),
            };
        }
        if form == Form::Own {
            cursor.expect(",")?;
            let (name, place) = cursor.word("a type")?;
            let Some(&index) = self.type_index.get(name) else {
                let error = cursor.error_at(place, format!("the type `{name}` is not declared"));
                let error = error.nearest(name, self.types.iter().map(|(name, _)| name.as_str()));
                return Err(if error.has_help() {
                    error
                } else {
                    error.help(format!("declare it above: `.type {name}`"))
                });
            };
            inst.a = index as u8;
        }
        Ok(inst)
    }

    /// Brings the types into their canonical order and numbers the slots.
    fn finish(self) -> (Program, Names) {
        let mut order: Vec<usize> = (0..self.types.len()).collect();
        order.sort_by_key(|&i| self.types[i].1);
        let mut insts = self.insts;
        let mut slot = 0;
        let mut scratch = Vec::new();
        let mut lines = Vec::with_capacity(insts.len());
        for (inst, (line, column)) in insts.iter_mut().zip(self.places) {
            if inst.op == Op::Own {
                inst.a = order.iter().position(|&i| i == usize::from(inst.a)).unwrap_or(0) as u8;
            }
            inst.slot = slot;
            lines.push((slot, line, column));
            scratch.clear();
            crate::binary::encode_inst(inst, &mut scratch);
            slot += scratch.len() as u32 / 8;
        }
        let types = order.iter().map(|&i| self.types[i].1).collect();
        let names = order.iter().map(|&i| self.types[i].0.clone()).collect();
        let names = Names { lines, types: names, source: self.text.to_owned() };
        (Program { header: self.header, types, insts }, names)
    }
}
