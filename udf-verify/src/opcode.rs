//! The opcode table: the one place that says which instructions there are, how they are written, and what they take.
//!
//! Decoder, encoder, assembler, disassembler, interpreter, verifier and compiler all take their facts from here.

/// The arithmetic operations: 64 bits, wrapping, unsigned, total.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Alu {
    /// `x + y`
    Add,
    /// `x - y`
    Sub,
    /// `x * y`
    Mul,
    /// `x & y`
    And,
    /// `x | y`
    Or,
    /// `x ^ y`
    Xor,
    /// `x << (y % 64)`
    Shl,
    /// `x >> (y % 64)`
    Shr,
    /// `x / y`; 0 where `y` is 0
    Div,
    /// `x % y`; `x` where `y` is 0
    Rem,
}

impl Alu {
    /// The result; the definition that every engine must agree with.
    #[inline]
    #[must_use]
    pub fn eval(self, x: u64, y: u64) -> u64 {
        match self {
            Alu::Add => x.wrapping_add(y),
            Alu::Sub => x.wrapping_sub(y),
            Alu::Mul => x.wrapping_mul(y),
            Alu::And => x & y,
            Alu::Or => x | y,
            Alu::Xor => x ^ y,
            Alu::Shl => x.wrapping_shl(y as u32),
            Alu::Shr => x.wrapping_shr(y as u32),
            Alu::Div => x.checked_div(y).unwrap_or(0),
            Alu::Rem => x.checked_rem(y).unwrap_or(x),
        }
    }
}

/// The unsigned comparisons of `if`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Comparison {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Comparison {
    /// Whether it holds.
    #[inline]
    #[must_use]
    pub fn eval(self, x: u64, y: u64) -> bool {
        match self {
            Comparison::Eq => x == y,
            Comparison::Ne => x != y,
            Comparison::Lt => x < y,
            Comparison::Le => x <= y,
            Comparison::Gt => x > y,
            Comparison::Ge => x >= y,
        }
    }

    /// The comparison that holds exactly where this one does not.
    #[must_use]
    pub fn negated(self) -> Comparison {
        match self {
            Comparison::Eq => Comparison::Ne,
            Comparison::Ne => Comparison::Eq,
            Comparison::Lt => Comparison::Ge,
            Comparison::Le => Comparison::Gt,
            Comparison::Gt => Comparison::Le,
            Comparison::Ge => Comparison::Lt,
        }
    }
}

/// What an instruction does and takes. `a`, `x` and `y` are the fields of [`Inst`](crate::Inst).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Form {
    /// `li a, x`: the immediate always takes a slot of its own.
    LoadImmediate,
    /// `mv a, x`
    Move,
    /// `op a, x, y`
    Binary(Alu),
    /// `ld a, [x + y]` or `[y]`: so many bytes in that order.
    Load {
        /// 1, 2, 4 or 8 bytes.
        width: u8,
        /// Whether the first byte is the most significant one.
        big_endian: bool,
    },
    /// `arg a, x`
    Argument,
    /// `loop a, x, y … end`
    Loop,
    /// `if x OP y … else … end`
    If(Comparison),
    /// `else`
    Else,
    /// `end`
    End,
    /// `break`
    Break,
    /// `next`
    Next,
    /// `own x, y, TYPE`; `a` is the index of the type
    Own,
    /// `ret`
    Return,
    /// `fail x`
    Fail,
    /// `now a`
    Now,
    /// `cred a, x`
    Credential,
}

/// Where the immediate operand `x` must lie, for the forms that take nothing but an immediate there.
pub(crate) const ARGUMENTS: u64 = 2;
/// How many words of credentials there are.
pub(crate) const CREDENTIALS: u64 = 8;

impl Form {
    /// Whether `a` is a register, and one that the instruction writes.
    #[inline]
    #[must_use]
    pub fn writes(self) -> bool {
        matches!(
            self,
            Form::LoadImmediate
                | Form::Move
                | Form::Binary(_)
                | Form::Load { .. }
                | Form::Argument
                | Form::Loop
                | Form::Now
                | Form::Credential
        )
    }

    /// What the operands `x` and `y` may be.
    #[inline]
    pub(crate) fn operands(self) -> [OperandKind; 2] {
        use OperandKind::*;
        match self {
            Form::LoadImmediate => [WideImmediate, None],
            Form::Move => [Value, None],
            Form::Binary(_) | Form::If(_) | Form::Own => [Value, Value],
            Form::Load { .. } => [Base, Immediate],
            Form::Argument | Form::Credential | Form::Fail => [Immediate, None],
            Form::Loop => [Value, Immediate],
            Form::Else | Form::End | Form::Break | Form::Next | Form::Return | Form::Now => [None, None],
        }
    }

    /// Whether nothing follows it in its block.
    #[inline]
    #[must_use]
    pub fn leaves(self) -> bool {
        matches!(self, Form::Break | Form::Next | Form::Return | Form::Fail)
    }

    /// Whether functions of kind `owns` may not have it: it reads something else than bytes, arguments and registers.
    #[inline]
    #[must_use]
    pub fn reads_the_world(self) -> bool {
        matches!(self, Form::Now | Form::Credential)
    }
}

/// What an operand of a form may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OperandKind {
    /// Absent.
    None,
    /// A register or an immediate.
    Value,
    /// A register or nothing.
    Base,
    /// An immediate.
    Immediate,
    /// An immediate that takes a slot even if it is small.
    WideImmediate,
}

macro_rules! opcodes {
    ($($code:literal $mnemonic:literal $variant:ident = $form:expr;)*) => {
        /// An opcode; the discriminant is its byte.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the table says it")]
        pub enum Op { $($variant = $code,)* }

        impl Op {
            /// All opcodes, in the order of their bytes.
            pub const ALL: &[Op] = &[$(Op::$variant),*];

            /// The opcode with this byte.
            #[inline]
            #[must_use]
            pub fn from_byte(byte: u8) -> Option<Op> {
                match byte { $($code => Some(Op::$variant),)* _ => None }
            }

            /// How it is written. For `if`, the comparison is written between the operands.
            #[must_use]
            pub fn mnemonic(self) -> &'static str {
                match self { $(Op::$variant => $mnemonic,)* }
            }

            /// What it does and takes.
            #[inline]
            #[must_use]
            pub fn form(self) -> Form {
                static FORMS: [Form; 256] = {
                    let mut forms = [Form::Return; 256];
                    $(forms[$code] = $form;)*
                    forms
                };
                FORMS[self as usize]
            }
        }
    };
}

opcodes! {
    0x01 "li" Li = Form::LoadImmediate;
    0x02 "mv" Mv = Form::Move;
    0x10 "add" Add = Form::Binary(Alu::Add);
    0x11 "sub" Sub = Form::Binary(Alu::Sub);
    0x12 "mul" Mul = Form::Binary(Alu::Mul);
    0x13 "and" And = Form::Binary(Alu::And);
    0x14 "or" Or = Form::Binary(Alu::Or);
    0x15 "xor" Xor = Form::Binary(Alu::Xor);
    0x16 "shl" Shl = Form::Binary(Alu::Shl);
    0x17 "shr" Shr = Form::Binary(Alu::Shr);
    0x18 "div" Div = Form::Binary(Alu::Div);
    0x19 "rem" Rem = Form::Binary(Alu::Rem);
    0x20 "ld1le" Ld1Le = Form::Load { width: 1, big_endian: false };
    0x21 "ld2le" Ld2Le = Form::Load { width: 2, big_endian: false };
    0x22 "ld4le" Ld4Le = Form::Load { width: 4, big_endian: false };
    0x23 "ld8le" Ld8Le = Form::Load { width: 8, big_endian: false };
    0x24 "ld1be" Ld1Be = Form::Load { width: 1, big_endian: true };
    0x25 "ld2be" Ld2Be = Form::Load { width: 2, big_endian: true };
    0x26 "ld4be" Ld4Be = Form::Load { width: 4, big_endian: true };
    0x27 "ld8be" Ld8Be = Form::Load { width: 8, big_endian: true };
    0x30 "arg" Arg = Form::Argument;
    0x31 "now" Now = Form::Now;
    0x32 "cred" Cred = Form::Credential;
    0x40 "loop" Loop = Form::Loop;
    0x41 "if" IfEq = Form::If(Comparison::Eq);
    0x42 "if" IfNe = Form::If(Comparison::Ne);
    0x43 "if" IfLt = Form::If(Comparison::Lt);
    0x44 "if" IfLe = Form::If(Comparison::Le);
    0x45 "if" IfGt = Form::If(Comparison::Gt);
    0x46 "if" IfGe = Form::If(Comparison::Ge);
    0x47 "else" Else = Form::Else;
    0x48 "end" End = Form::End;
    0x49 "break" Break = Form::Break;
    0x4a "next" Next = Form::Next;
    0x50 "own" Own = Form::Own;
    0x51 "ret" Ret = Form::Return;
    0x52 "fail" Fail = Form::Fail;
}

/// The comparisons as they are written, with the `if` that each makes.
pub(crate) const COMPARISONS: [(&str, Op); 6] =
    [("==", Op::IfEq), ("!=", Op::IfNe), ("<=", Op::IfLe), (">=", Op::IfGe), ("<", Op::IfLt), (">", Op::IfGt)];

impl Op {
    /// The opcode with this mnemonic; `if` is not among them, as it needs its comparison. `ld1` is short for `ld1le`.
    #[must_use]
    pub fn from_mnemonic(mnemonic: &str) -> Option<Op> {
        if mnemonic == "ld1" {
            return Some(Op::Ld1Le);
        }
        Op::ALL.iter().copied().find(|op| op.mnemonic() == mnemonic && !matches!(op.form(), Form::If(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_mnemonics_name_one_opcode() {
        for &op in Op::ALL {
            assert_eq!(Op::from_byte(op as u8), Some(op));
            if !matches!(op.form(), Form::If(_)) {
                assert_eq!(Op::from_mnemonic(op.mnemonic()), Some(op));
            }
        }
        assert_eq!((0..=255).filter_map(Op::from_byte).count(), Op::ALL.len());
    }

    #[test]
    fn arithmetic_is_total() {
        assert_eq!((Alu::Div.eval(7, 0), Alu::Rem.eval(7, 0)), (0, 7));
        assert_eq!((Alu::Shl.eval(3, 64), Alu::Shl.eval(3, 65), Alu::Shr.eval(3, 1 << 63)), (3, 6, 3));
        assert_eq!(Alu::Mul.eval(u64::MAX, 2), u64::MAX - 1);
    }

    #[test]
    fn a_negated_comparison_is_the_opposite() {
        for (_, op) in COMPARISONS {
            let Form::If(c) = op.form() else { unreachable!("COMPARISONS has ifs only") };
            for (x, y) in [(1, 2), (2, 2), (3, 2)] {
                assert_ne!(c.eval(x, y), c.negated().eval(x, y));
            }
        }
    }
}
