//! The size of generated code: instructions, by decoding them, and bytes.

use iced_x86::{Decoder, DecoderOptions};

/// The size of one generated function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// Decoded instructions.
    pub instructions: usize,
    /// Bytes of machine code.
    pub bytes: usize,
}

impl Count {
    /// Decodes `code`, which holds instructions only.
    ///
    /// # Panics
    /// If a byte sequence is no x86-64 instruction: the generator is wrong.
    #[must_use]
    pub fn decode(code: &[u8]) -> Self {
        let mut instructions = 0;
        for instruction in Decoder::new(64, code, DecoderOptions::NONE) {
            assert!(!instruction.is_invalid(), "no instruction at byte {}", instruction.ip());
            instructions += 1;
        }
        Count { instructions, bytes: code.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_instructions_and_bytes() {
        // mov rax, rdi; imul rax, rdi; ret
        let code = [0x48, 0x89, 0xf8, 0x48, 0x0f, 0xaf, 0xc7, 0xc3];
        let expected = Count { instructions: 3, bytes: 8 };
        assert_eq!(Count::decode(&code), expected);
    }
}
