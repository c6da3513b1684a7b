//! Looking at generated code: disassembly, instruction counts, `TICKC_DUMP`.

use std::fmt::Write;
use std::sync::OnceLock;

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter};

/// What `TICKC_DUMP` asks for: a comma-separated list, read once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dumps {
    /// `asm`: the machine code of every function compiled, on standard error.
    pub(crate) asm: bool,
}

/// What `TICKC_DUMP` asks for.
#[inline]
pub(crate) fn dumps() -> Dumps {
    static DUMPS: OnceLock<Dumps> = OnceLock::new();
    *DUMPS.get_or_init(|| {
        let list = std::env::var("TICKC_DUMP").unwrap_or_default();
        for word in list.split(',').map(str::trim).filter(|w| !w.is_empty() && *w != "asm") {
            eprintln!("tickc: TICKC_DUMP={word}: this build knows `asm`");
        }
        Dumps { asm: list.split(',').any(|word| word.trim() == "asm") }
    })
}

/// The code at `address` as text, one instruction a line.
pub(crate) fn disassemble(code: &[u8], address: u64) -> String {
    let mut formatter = IntelFormatter::new();
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
