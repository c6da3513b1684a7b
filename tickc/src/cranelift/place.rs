//! The bytes in their place: relocations, and the check of the stack.
//!
//! How much stack a function takes is known when it has been compiled, so the check is written by us, before Cranelift's code,
//! while nothing has been saved or moved yet: as in the one-pass tier.

#![allow(clippy::useless_conversion, reason = "`dynasm!` converts whatever names a register")]

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::ir::{ExternalName, LibCall};
use cranelift_codegen::{FinalizedMachReloc, FinalizedRelocTarget};
use dynasmrt::{DynasmApi, SimpleAssembler, dynasm};
use iced_x86::{Decoder, DecoderOptions, Instruction, Register};

use super::Code;
use super::calls::{name, remainder};
use crate::error::Error;
use crate::ir::Function;
use crate::machine::Target;
use crate::trap::TrapKind;
use crate::types::Type;
use crate::x64::convention::{Convention, Location};

/// Largest number of bytes of a function, as of the one-pass tier.
pub(super) const MAX_CODE: usize = 16 << 20;
/// Cranelift's code and constants are aligned to this at most; code memory gives four times as much.
const ALIGNMENT: usize = 16;
/// What fills the space before the check.
const NOP: u8 = 0x90;

/// The check of the stack before the code: of a function that needs none, nothing.
pub(super) struct Check {
    /// What is executed before the code, and filler before it: a multiple of the alignment.
    before: Vec<u8>,
    /// How much of that is filler.
    filler: usize,
    /// Where in it the displacement of the jump to the stub stands.
    jump: usize,
    /// The stub, behind the code.
    stub: Vec<u8>,
}

impl Check {
    /// The check of a function whose frame takes `frame` bytes, with its return address.
    pub(super) fn new(function: &Function, frame: Option<u32>) -> Check {
        let Some(frame) = frame else {
            return Check { before: Vec::new(), filler: 0, jump: 0, stub: Vec::new() };
        };
        let mut convention = Convention::default();
        convention.locate(function.params.iter().copied(), function.pairs, |_, _| {});
        let mut code = SimpleAssembler::new();
        // The return address is there already.
        dynasm!(code; .arch x64; lea r11, [rsp + 8 - frame as i32]);
        match convention.next(Type::Usize, false) {
            Location::Reg(reg) => dynasm!(code; .arch x64; cmp r11, Rq(reg)),
            Location::Stack(word) => dynasm!(code; .arch x64; cmp r11, [rsp + 8 + word as i32 * 8]),
        }
        // jb, with 32 bits
        dynasm!(code; .arch x64; .bytes [0x0f, 0x82]; .i32 0);
        let check = code.finalize();
        let filler = check.len().next_multiple_of(ALIGNMENT) - check.len();
        let mut before = vec![NOP; filler];
        before.extend(check);
        let status = TrapKind::StackOverflow as i32;
        let mut stub = SimpleAssembler::new();
        if function.ret.is_float() {
            dynasm!(stub; .arch x64; mov eax, status; ret);
        } else {
            dynasm!(stub; .arch x64; mov edx, status; ret);
        }
        Check { filler, jump: before.len() - 4, before, stub: stub.finalize() }
    }

    /// Bytes of a function whose code takes `code`.
    pub(super) fn total(&self, code: usize) -> usize {
        self.before.len() + code + self.stub.len()
    }

    /// Offset of the first instruction.
    pub(super) fn entry(&self) -> u32 {
        self.filler as u32
    }
}

/// See [`Code::place`].
pub(super) fn place(code: &Code<'_>, function: &Function, to: &mut [u8], address: u64) -> Result<(), Error> {
    let compiled = code.context.compiled_code().expect("the function has been compiled");
    let check = &code.check;
    let bytes = compiled.code_buffer();
    if compiled.buffer.alignment as usize > ALIGNMENT {
        return Err(Error::Codegen { reason: format!("code aligned to {}", compiled.buffer.alignment) });
    }
    let (start, end) = (check.before.len(), check.before.len() + bytes.len());
    to[..start].copy_from_slice(&check.before);
    to[start..end].copy_from_slice(bytes);
    to[end..].copy_from_slice(&check.stub);
    if start != 0 {
        let distance = (end - start) as i32;
        to[check.jump..check.jump + 4].copy_from_slice(&distance.to_le_bytes());
    }
    for reloc in compiled.buffer.relocs() {
        let at = start + reloc.offset as usize;
        let target = match &reloc.target {
            FinalizedRelocTarget::ExternalName(callee) => {
                address_of(code, function, callee, address + u64::from(check.entry()))?
            }
            FinalizedRelocTarget::Func(offset) => address + start as u64 + u64::from(*offset),
        };
        relocate(reloc, to, at, address + at as u64, target)?;
    }
    Ok(())
}

/// The address of what a relocation names; `entry` is that of the function itself.
fn address_of(code: &Code<'_>, function: &Function, callee: &ExternalName, entry: u64) -> Result<u64, Error> {
    Ok(match callee {
        ExternalName::User(reference) => {
            let user = &code.context.func.params.user_named_funcs()[*reference];
            match (user.namespace, user.index) {
                (name::ITSELF, _) => entry,
                (name::REMAINDER, size) => remainder(size),
                (_, index) => match function.calls[index as usize].target {
                    Target::Dynamic { address, .. } | Target::Native(address) => address,
                    Target::Host { shim, .. } => shim,
                    Target::SelfCall | Target::Declared(_) => unreachable!("not called by address"),
                },
            }
        }
        ExternalName::LibCall(call) => library(*call)?,
        other => return Err(Error::Codegen { reason: format!("the symbol {other:?}") }),
    })
}

/// What Cranelift calls where the processor has no instruction: without SSE 4.1.
fn library(call: LibCall) -> Result<u64, Error> {
    macro_rules! of {
        ($t:ty, $method:ident) => {{
            extern "C" fn f(x: $t) -> $t {
                x.$method()
            }
            f as *const ()
        }};
    }
    let address = match call {
        LibCall::FloorF32 => of!(f32, floor),
        LibCall::FloorF64 => of!(f64, floor),
        LibCall::CeilF32 => of!(f32, ceil),
        LibCall::CeilF64 => of!(f64, ceil),
        LibCall::TruncF32 => of!(f32, trunc),
        LibCall::TruncF64 => of!(f64, trunc),
        other => return Err(Error::Codegen { reason: format!("the library function {other}") }),
    };
    Ok(address.addr() as u64)
}

/// Applies a relocation at the offset `at`, which is seen at `place`.
fn relocate(reloc: &FinalizedMachReloc, to: &mut [u8], at: usize, place: u64, target: u64) -> Result<(), Error> {
    let target = target.wrapping_add_signed(reloc.addend);
    match reloc.kind {
        Reloc::Abs8 => to[at..at + 8].copy_from_slice(&target.to_le_bytes()),
        Reloc::X86CallPCRel4 | Reloc::X86PCRel4 => {
            let distance = i32::try_from(target.wrapping_sub(place) as i64)
                .map_err(|_| Error::Codegen { reason: format!("a call of {target:#x} from {place:#x}") })?;
            to[at..at + 4].copy_from_slice(&distance.to_le_bytes());
        }
        other => return Err(Error::Codegen { reason: format!("a relocation of the kind {other}") }),
    }
    Ok(())
}

/// The instructions of published code: without the filler before them and the constants behind them, which Cranelift does not
/// tell apart. Constants are found by the instructions that load them.
pub(crate) fn instructions(code: &[u8]) -> &[u8] {
    let filler = code.iter().take(ALIGNMENT - 1).take_while(|&&byte| byte == NOP).count();
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    decoder.set_position(filler).expect("inside the code");
    decoder.set_ip(filler as u64);
    let mut instruction = Instruction::default();
    let mut end = code.len() as u64;
    while decoder.ip() < end && !is_padding(code, decoder.ip(), end) {
        decoder.decode_out(&mut instruction);
        if instruction.memory_base() == Register::RIP {
            end = end.min(instruction.memory_displacement64());
        }
    }
    &code[filler..(decoder.ip() as usize).min(code.len())]
}

/// Whether there is nothing but alignment from `from` to the constants at `to`.
fn is_padding(code: &[u8], from: u64, to: u64) -> bool {
    to - from < ALIGNMENT as u64
        && (to as usize) < code.len()
        && code[from as usize..to as usize].iter().all(|&b| b == 0)
}
