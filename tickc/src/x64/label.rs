//! Jump tables.

use dynasmrt::{DynasmApi, dynasm};

use super::OnePass;
use crate::machine::{JumpList, Operand};
use crate::types::Type;

impl OnePass {
    /// Jumps into a table of jumps, five bytes each. As its entries are jumps, they are landed as all others are, and no data
    /// lies in the code.
    pub(super) fn jump_by_table(&mut self, index: Operand, count: u32, entries: &mut Vec<JumpList>) {
        // The table is left for good: that the register is one of the last matters to nobody.
        let (index, _) = self.to_temp(Type::U64, index);
        let reg = index.reg();
        // lea r11, [rip + distance to the table]
        dynasm!(self.buf; .arch x64; lea r11, [rip + 0]);
        let distance = self.buf.pos() - 4;
        dynasm!(self.buf; .arch x64; lea Rq(reg), [Rq(reg) + Rq(reg) * 4]; add r11, Rq(reg); jmp r11);
        self.release_operand(index);
        if !self.buf.overflowed() {
            self.buf.patch_i32(distance, (self.buf.pos() - (distance + 4)) as i32);
        }
        for _ in 0..count {
            self.buf.room();
            entries.push(self.jump_always());
        }
    }
}
