//! Jump tables.
//!
//! A table holds for each index the distance of its target from the table, in 32 bits, so that it needs no relocation. It lies
//! behind the code, where the executable view of the code memory can be read. While the function is emitted its entries wait in
//! a space of their own in the buffer and are jumps like others there: fields that a jump list threads and that receive a
//! displacement from their own end. [`OnePass::emit_tables`] moves them.

use super::buffer::{MAX_TABLES, TABLES};
use super::encode::{Alu, op};
use super::regs::*;
use super::{OnePass, odd};
use crate::error::Error;
use crate::machine::{JumpList, Operand};
use crate::types::Type;

/// A jump table of the function under construction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// The displacement of the instruction that takes the table's address.
    address: u32,
    /// The first entry, and how many there are.
    first: u32,
    count: u32,
}

impl OnePass {
    /// `lea r11, [table]; movsxd d, [r11 + 4 * index]; add d, r11; jmp d`. Consumes `index`.
    pub(super) fn jump_by_table(&mut self, index: Operand, count: u32, entries: &mut Vec<JumpList>) {
        let index = self.to_reg(Type::U64, index);
        if count as usize * 4 > MAX_TABLES - self.table_bytes as usize {
            self.fail(Error::CodeTooLarge { limit: MAX_TABLES });
            self.release_operand(index);
            entries.extend((0..count).map(|_| 0));
            return;
        }
        let first = TABLES + self.table_bytes;
        self.table_bytes += count * 4;
        for entry in (0..count).map(|i| first + i * 4) {
            // A list of one names itself.
            self.buf.patch_i32(entry, entry as i32);
            entries.push(entry);
        }
        self.buf.packed(0x1d8d4c, 3);
        self.odd |= odd::LISTS;
        self.tables.push(Table { address: self.buf.pos(), first, count });
        self.buf.dword(0);
        self.release_operand(index);
        let d = self.alloc(GPRS);
        let entry = Mem { base: SCRATCH, index: index.reg(), scale: 2, disp: 0, in_frame: false };
        self.buf.rm(op(0x63), true, d, entry, false);
        self.buf.alu_rr(Alu::ADD, true, d, SCRATCH);
        self.buf.rr(op(0xff), false, 4, d, false);
        self.free |= 1 << d;
    }

    /// Moves the tables behind the code, which is complete, and their length behind them.
    pub(super) fn emit_tables(&mut self) {
        self.settle_jumps();
        let code = self.buf.pos();
        if self.buf.overflowed() || code as usize + self.table_bytes as usize + 8 > super::buffer::MAX_CODE {
            self.fail(Error::CodeTooLarge { limit: super::buffer::MAX_CODE });
            return;
        }
        while !self.buf.pos().is_multiple_of(4) {
            self.buf.byte(0xcc);
        }
        for i in 0..self.tables.len() {
            let Table { address, first, count } = self.tables[i];
            let table = self.buf.pos();
            self.buf.patch_i32(address, table.wrapping_sub(address + 4) as i32);
            for entry in (0..count).map(|i| first + i * 4) {
                let target = self.buf.read_u32(entry).wrapping_add(entry + 4);
                self.buf.dword(target.wrapping_sub(table) as i32);
            }
        }
        self.end = self.buf.pos() + 4;
        self.buf.dword((self.end - code) as i32);
    }
}
