//! Why a function is rejected, as its author reads it.

use std::fmt;

use super::bounds::{AT_START, LoadFault};
use super::structure::{Excess, Structure, StructureError};
use crate::asm::{address_text, inst_text, type_names, write_excerpt};
use crate::binary::{FormError, decode_inst};
use crate::names::Names;
use crate::opcode::Form;
use crate::program::{Operand, Program};

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident $code:literal;)*) => {
        /// The rule that was broken.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[non_exhaustive]
        pub enum Rule { $($(#[$doc])* $name,)* }

        impl Rule {
            /// Its code, as in messages.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Rule::$name => $code,)* }
            }
        }
    };
}
rules! {
    /// The file is shorter than a header.
    Header "F01";
    /// The file does not start as a function does.
    Magic "F02";
    /// The rule version is not known.
    Version "F03";
    /// No kind of function has this number.
    Kind "F04";
    /// Unknown flags, or flags that do not say what the function does.
    Flags "F05";
    /// The counts in the header do not fit the length of the file.
    Length "F06";
    /// More code or types than allowed.
    Size "F07";
    /// A type of another group.
    ForeignType "F08";
    /// A type twice, or types out of order.
    TypeList "F09";
    /// A type past the end of the list.
    TypeIndex "F10";
    /// No instruction of this rule version has this opcode.
    Opcode "F11";
    /// No register has this number.
    Register "F12";
    /// An operand that the instruction cannot have.
    Operand "F13";
    /// A reserved field that is not zero.
    Reserved "F14";
    /// Not the canonical encoding.
    Canonical "F15";
    /// The code ends within an instruction.
    Truncated "F16";
    /// `end` or `else` without a block.
    Unmatched "S01";
    /// A block without an end.
    Unterminated "S02";
    /// `else` where there can be none.
    Else "S03";
    /// `break` or `next` outside a loop.
    OutsideLoop "S04";
    /// Blocks nested too deep.
    Depth "S05";
    /// The counter of an open loop is written.
    Counter "S06";
    /// The fuel is above what the system allows.
    FuelCap "C01";
    /// The worst case costs more than the fuel.
    Cost "C02";
    /// The worst case adds more tuples than the system allows.
    Tuples "C03";
    /// A load that always faults.
    CertainFault "B01";
    /// A load that is not proved, in a strict function.
    Strict "B02";
    /// An instruction that functions of this kind cannot have.
    NotForKind "D01";
    /// An argument, credential or reason that does not exist.
    Number "D02";
}

/// Why a function is rejected: the first thing wrong, at the lowest offset.
///
/// Displays as rule and message, place with the line of the source (or, without one, the instruction), what was found out, and
/// a suggestion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection(Box<Details>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Details {
    rule: Rule,
    message: String,
    slot: Option<u32>,
    excerpt: Option<(u32, u32, String)>,
    instruction: Option<String>,
    notes: Vec<String>,
    help: String,
}

impl Rejection {
    /// The rule that was broken.
    #[must_use]
    pub fn rule(&self) -> Rule {
        self.0.rule
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Number of the slot with the instruction at fault; `None` if it is the header or the file as a whole.
    #[must_use]
    pub fn slot(&self) -> Option<u32> {
        self.0.slot
    }

    /// Line and column of the source, where the file knows them.
    #[must_use]
    pub fn line(&self) -> Option<(u32, u32)> {
        self.0.excerpt.as_ref().map(|&(line, column, _)| (line, column))
    }

    /// What was found out: the interval, and the fact that made it so.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// What to do about it.
    #[must_use]
    pub fn suggestion(&self) -> &str {
        &self.0.help
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { rule, message, slot, excerpt, instruction, notes, help } = &*self.0;
        writeln!(f, "rejected[{}]: {message}", rule.code())?;
        match (excerpt, slot, instruction) {
            (Some((line, column, text)), _, _) => {
                write_excerpt(f, *line, *column, text)?;
                writeln!(f)?;
            }
            (None, Some(slot), Some(text)) => writeln!(f, " --> slot {slot}: {text}")?,
            (None, Some(slot), None) => writeln!(f, " --> slot {slot}")?,
            _ => {}
        }
        for note in notes {
            writeln!(f, "  = {note}")?;
        }
        write!(f, "  = help: {help}")
    }
}

impl std::error::Error for Rejection {}

/// What a message can be made of.
#[derive(Default)]
pub(super) struct Context<'a> {
    pub(super) program: Program,
    pub(super) names: Names,
    pub(super) code: &'a [u8],
}

impl Context<'_> {
    /// The instruction that starts at a slot: one that was walked, or the one at which the walk ended.
    fn text_at(&self, slot: u32) -> Option<String> {
        let types = type_names(&self.program, &self.names);
        let walked = self.program.insts.binary_search_by_key(&slot, |inst| inst.slot).ok();
        let inst = match walked {
            Some(index) => self.program.insts[index],
            None if (slot as usize) < self.code.len() / 8 => decode_inst(self.code, slot, types.len() as u32).ok()?.0,
            None => return None,
        };
        Some(inst_text(&types, &inst))
    }

    /// `line 7`, or `slot 12`.
    fn place(&self, slot: u32) -> String {
        match self.names.line_of(slot) {
            Some((line, _)) => format!("line {line}"),
            None => format!("slot {slot}"),
        }
    }

    fn details(&self, rule: Rule, slot: Option<u32>, message: String, help: &str) -> Details {
        let excerpt = slot.and_then(|slot| {
            let (line, column) = self.names.line_of(slot)?;
            Some((line, column, self.names.source_line(line)?.to_owned()))
        });
        let instruction = slot.filter(|_| excerpt.is_none()).and_then(|slot| self.text_at(slot));
        Details { rule, message, slot, excerpt, instruction, notes: Vec::new(), help: help.to_owned() }
    }

    fn reject(&self, rule: Rule, slot: Option<u32>, message: String, help: &str) -> Rejection {
        Rejection(Box::new(self.details(rule, slot, message, help)))
    }
}

/// 1208368 as `1,208,368`.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if n == u64::MAX { "2^64-1 or more".to_owned() } else { out }
}

impl Rejection {
    #[cold]
    pub(super) fn of_form(error: FormError, context: &Context<'_>) -> Rejection {
        const ASSEMBLE: &str = "the file is damaged or was not made by this assembler: assemble it again";
        use FormError as E;
        let (rule, slot, message, help) = match error {
            E::Short { len } => (
                Rule::Header,
                None,
                format!("the file has {len} bytes, a header has {}", crate::binary::HEADER),
                ASSEMBLE,
            ),
            E::Magic => (
                Rule::Magic,
                None,
                "the file does not start with 7f 55 44 46".to_owned(),
                "a text is assembled first: `udf asm`",
            ),
            E::Version { found } => (
                Rule::Version,
                None,
                format!("rule version {found} is not known, only {}", crate::program::RULE_VERSION),
                "use a system that knows the version, or assemble the text again here",
            ),
            E::Kind { found } => (Rule::Kind, None, format!("no kind of function has the number {found}"), ASSEMBLE),
            E::Flags { found } => (Rule::Flags, None, format!("unknown flags in {found:#04x}"), ASSEMBLE),
            E::Length { expected, found } => (
                Rule::Length,
                None,
                format!("the header promises {} bytes, the file has {}", thousands(expected), thousands(found)),
                ASSEMBLE,
            ),
            E::TooManySlots { found, limit } => (
                Rule::Size,
                None,
                format!("the code has {} slots, the limit is {}", thousands(found.into()), thousands(limit.into())),
                "split the function into several templates",
            ),
            E::TooManyTypes { found } => (
                Rule::Size,
                None,
                format!(
                    "the function names {} types, the limit is {}",
                    thousands(found.into()),
                    crate::binary::MAX_TYPES
                ),
                "split the function into several templates",
            ),
            E::ForeignType { index, group, own } => (
                Rule::ForeignType,
                None,
                format!("type {index} is of group {group}, the function of group {own}"),
                "a function names types of its own group only",
            ),
            E::DuplicateType { index, member } => (
                Rule::TypeList,
                None,
                format!("type {index} is member {member} of the group, which is in the list already"),
                "name every type once",
            ),
            E::TypeOrder { index } => (
                Rule::TypeList,
                None,
                format!("type {index} has a lower member than the one before it"),
                "types are listed in ascending order of their members",
            ),
            E::Opcode { slot, byte } => (
                Rule::Opcode,
                Some(slot),
                format!("no instruction of rule version {} has the opcode {byte:#04x}", crate::program::RULE_VERSION),
                ASSEMBLE,
            ),
            E::Register { slot, number } => {
                (Rule::Register, Some(slot), format!("there is no register {number}"), "the registers are r0 to r31")
            }
            E::Operand { slot, which, byte } => (
                Rule::Operand,
                Some(slot),
                format!("the {which} operand is {byte:#04x}, which the instruction cannot have"),
                ASSEMBLE,
            ),
            E::Reserved { slot, what } => {
                (Rule::Reserved, Some(slot), format!("{what} is reserved here and must be zero"), ASSEMBLE)
            }
            E::NotCanonical { slot } => (
                Rule::Canonical,
                Some(slot),
                "the immediate is not in its canonical place".to_owned(),
                "an immediate that fits 32 bits, sign-extended, takes no slot",
            ),
            E::Truncated { slot } => {
                (Rule::Truncated, Some(slot), "the code ends within the instruction".to_owned(), ASSEMBLE)
            }
            E::TypeIndex { slot, types: 0, .. } => (
                Rule::TypeIndex,
                Some(slot),
                "`own` names a type, but the list of types is empty".to_owned(),
                "declare it: `.type NAME`",
            ),
            E::TypeIndex { slot, index, types } => (
                Rule::TypeIndex,
                Some(slot),
                format!("`own` names type {index}, but the list has {types}"),
                "declare it: `.type NAME`",
            ),
        };
        context.reject(rule, slot, message, help)
    }

    #[cold]
    pub(super) fn of_structure(error: StructureError, context: &Context<'_>) -> Rejection {
        use StructureError as E;
        let reject = |rule, slot, message: String, help: &str| context.reject(rule, Some(slot), message, help);
        match error {
            E::Form(error) => Rejection::of_form(error, context),
            E::Unmatched { slot, op } => reject(
                Rule::Unmatched,
                slot,
                format!("`{}` without a block that is open", op.mnemonic()),
                "remove it, or open a block before it",
            ),
            E::Unterminated { slot, op } => reject(
                Rule::Unterminated,
                slot,
                format!("this `{}` has no `end`", op.mnemonic()),
                "write `end` behind its last instruction",
            ),
            E::ElseOfLoop { slot, block } => reject(
                Rule::Else,
                slot,
                format!("`else` in the loop of {}", context.place(block)),
                "only an `if` has an `else`; is an `end` missing above?",
            ),
            E::SecondElse { slot, block } => reject(
                Rule::Else,
                slot,
                format!("a second `else` of the `if` of {}", context.place(block)),
                "nest another `if` in the first `else`",
            ),
            E::OutsideLoop { slot, op } => reject(
                Rule::OutsideLoop,
                slot,
                format!("`{}` outside any loop", op.mnemonic()),
                "`ret` ends the function",
            ),
            E::TooDeep { slot } => reject(
                Rule::Depth,
                slot,
                format!("blocks nest more than {} deep here", super::MAX_DEPTH),
                "leave early (`ret`, `next`) instead of nesting",
            ),
            E::WritesCounter { slot, register, block } => reject(
                Rule::Counter,
                slot,
                format!("r{register} counts the loop of {} and cannot be written in it", context.place(block)),
                "use another register",
            ),
            E::NotForKind { slot, kind, op } => reject(
                Rule::NotForKind,
                slot,
                format!("`{}` in a function of kind {}, which must be deterministic", op.mnemonic(), kind.name()),
                "only acl- and size-functions may read time and credentials",
            ),
            E::Argument { slot, number } => reject(
                Rule::Number,
                slot,
                format!("there is no argument {}", thousands(number)),
                "0 is the block's number, 1 the size of a unit in bytes",
            ),
            E::Credential { slot, number } => reject(
                Rule::Number,
                slot,
                format!("there is no credential {}", thousands(number)),
                "credentials are numbered 0 to 7",
            ),
            E::Reason { slot, number } => reject(
                Rule::Number,
                slot,
                format!("the reason {} does not fit 32 bits", thousands(number)),
                "reasons are 0 to 4,294,967,295",
            ),
            E::Flags { found, expected } => context.reject(
                Rule::Flags,
                None,
                format!("the flags are {found:#04x}, but what the function reads makes them {expected:#04x}"),
                "assemble the text again",
            ),
        }
    }

    #[cold]
    pub(super) fn of_load(fault: LoadFault, context: &Context<'_>) -> Rejection {
        let inst = context.program.insts[fault.index as usize];
        let Form::Load { width, .. } = inst.op.form() else { unreachable!("only loads fault") };
        let unit = context.program.header.unit;
        let (rule, message, help) = match (fault.strict, inst.x) {
            (true, _) => (
                Rule::Strict,
                "this load is not proved to lie in the unit, and the function is strict".to_owned(),
                "test the address before the load (`if r < N`), mask it, or remove `.strict`",
            ),
            (false, Operand::Reg(_)) => (
                Rule::CertainFault,
                "this load always lies outside the unit".to_owned(),
                "correct the address, or `.unit`",
            ),
            (false, _) => {
                (Rule::CertainFault, "this load lies outside the unit".to_owned(), "correct the offset, or `.unit`")
            }
        };
        let mut details = context.details(rule, Some(inst.slot), message, help);
        let bytes = if unit == 0 { "any number of".to_owned() } else { thousands(unit.into()) };
        let address = address_text(inst.x, inst.y);
        details.notes.push(format!("it reads {width} at {address}; the unit has {bytes} bytes"));
        if let Operand::Reg(r) = inst.x {
            details.notes.push(format!("r{r} is {}", fault.base));
            details.notes.push(match fault.from {
                AT_START => format!("because r{r} is zero at the start and was not written since"),
                from => {
                    let origin = context.program.insts[from as usize].slot;
                    let text = context.text_at(origin).unwrap_or_default();
                    format!("because of {}: `{text}`", context.place(origin))
                }
            });
        }
        Rejection(Box::new(details))
    }

    #[cold]
    pub(super) fn fuel_above_cap(fuel: u64, cap: u64) -> Rejection {
        let message = format!("the fuel is {}, the system allows {}", thousands(fuel), thousands(cap));
        Context::default().reject(Rule::FuelCap, None, message, "lower `.fuel`")
    }

    #[cold]
    pub(super) fn of_excess(excess: Excess, structure: &Structure, context: &Context<'_>) -> Rejection {
        let part = |report: &super::LoopReport| match excess {
            Excess::Cost { .. } => report.cost,
            Excess::Tuples { .. } => report.tuples,
        };
        let whole = match excess {
            Excess::Cost { .. } => structure.cost,
            Excess::Tuples { .. } => structure.tuples,
        };
        let largest = structure.loops.iter().filter(|report| report.depth == 0).max_by_key(|report| part(report));
        let slot = largest.map(|report| report.slot);
        let share = |report| match part(report) {
            u64::MAX => "nearly all".to_owned(),
            part => format!("{} %", u128::from(part) * 100 / u128::from(whole.max(1))),
        };
        let most = match largest {
            Some(report) => format!("; the loop at {} is {} of it", context.place(report.slot), share(report)),
            None => String::new(),
        };
        let (rule, message, help) = match excess {
            Excess::Cost { limit } => (
                Rule::Cost,
                format!("worst case {} > limit {}{most}", thousands(whole), thousands(limit)),
                "raise `.fuel` as far as the system allows, or lower the MAX of the loop",
            ),
            Excess::Tuples { limit } => (
                Rule::Tuples,
                format!("worst case {} tuples > limit {}{most}", thousands(whole), thousands(limit)),
                "own runs of units with one tuple each, or lower the MAX of the loop",
            ),
        };
        context.reject(rule, slot, message, help)
    }
}
