//! Looking at generated code: disassembly, instruction counts, `TICKC_DUMP`.

use std::fmt::Write;
use std::sync::OnceLock;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, SymbolResolver, SymbolResult};

/// What `TICKC_DUMP` asks for: a comma-separated list, read once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dumps {
    /// `asm`: the machine code of every function compiled, on standard error.
    pub(crate) asm: bool,
    /// `ir`: the intermediate representation of every function compiled that has one, on standard error.
    pub(crate) ir: bool,
    /// `live`: the intervals of virtual registers that the linear-scan tier finds.
    pub(crate) live: bool,
    /// `alloc`: where it puts them.
    pub(crate) alloc: bool,
    /// `clif`: what Cranelift is given, on standard error.
    pub(crate) clif: bool,
}

/// What `TICKC_DUMP` asks for.
#[inline]
pub(crate) fn dumps() -> Dumps {
    static DUMPS: OnceLock<Dumps> = OnceLock::new();
    *DUMPS.get_or_init(|| {
        let list = std::env::var("TICKC_DUMP").unwrap_or_default();
        let mut dumps = Dumps::default();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "asm" => dumps.asm = true,
                "ir" => dumps.ir = true,
                "live" => dumps.live = true,
                "alloc" => dumps.alloc = true,
                "clif" if cfg!(feature = "cranelift") => dumps.clif = true,
                _ => eprintln!(
                    "tickc: TICKC_DUMP={word}: this build knows `asm`, `ir`, `live`, `alloc` and, with Cranelift, `clif`"
                ),
            }
        }
        dumps
    })
}

/// Names addresses within the function by their offset, so that jumps can be followed.
struct Offsets {
    start: u64,
    len: u64,
}

impl SymbolResolver for Offsets {
    fn symbol(&mut self, _: &Instruction, _: u32, _: Option<u32>, address: u64, _: u32) -> Option<SymbolResult<'_>> {
        let offset = address.wrapping_sub(self.start);
        (offset < self.len).then(|| SymbolResult::with_string(address, format!("{offset:x}")))
    }
}

/// The code at `address` as text, one instruction a line: its offset, then the instruction. Targets of jumps within the code
/// are offsets, too.
pub(crate) fn disassemble(code: &[u8], address: u64) -> String {
    let mut formatter =
        IntelFormatter::with_options(Some(Box::new(Offsets { start: address, len: code.len() as u64 })), None);
    let mut decoder = Decoder::with_ip(64, code, address, DecoderOptions::NONE);
    let mut text = String::new();
    let mut instruction = Instruction::default();
    let mut line = String::new();
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        line.clear();
        formatter.format(&instruction, &mut line);
        let offset = instruction.ip() - address;
        writeln!(text, "{offset:5x}  {line}").expect("writing to a string");
    }
    text
}

/// How many instructions the code has.
pub(crate) fn count_instructions(code: &[u8]) -> usize {
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut count = 0;
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        count += 1;
    }
    count
}
