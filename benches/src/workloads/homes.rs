//! W6's allocation by hand: where each of the 24 variables lives.
//!
//! `rax` is scratch and `rsp` the stack; the other fourteen registers take the variables
//! whose stay in memory would cost most, the rest live below the stack pointer (the
//! code calls nothing, so those 128 bytes are its own).

use super::w6_large::{Kind, OPS, VARIABLES};

/// Where a variable lives for the whole function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// In a register, by its number in the encoding.
    Register(u8),
    /// In memory, this many bytes from `rsp`.
    Stack(i8),
}

/// `rdi`, the pointer to the values: free after the last load.
pub const POINTER: u8 = 7;
/// `rax`: scratch, and the result.
pub const SCRATCH: u8 = 0;

/// Registers for variables: those the caller may not lose come last.
const REGISTERS: [u8; 14] = [1, 2, 6, POINTER, 8, 9, 10, 11, 3, 5, 12, 13, 14, 15];

/// Registers for variables that a function saves and restores.
pub const SAVED: [u8; 6] = [3, 5, 12, 13, 14, 15];

/// The allocation.
#[must_use]
pub fn allocate() -> [Home; VARIABLES] {
    let mut costs = [0u32; VARIABLES];
    for op in &OPS {
        // One memory access for each mention; a product cannot be formed in memory, so
        // there it takes two more instructions.
        costs[op.d as usize] += if op.kind == Kind::Mul { 3 } else { 1 };
        if op.kind != Kind::Shl {
            costs[op.s as usize] += 1;
        }
    }
    let mut by_cost: Vec<usize> = (0..VARIABLES).collect();
    by_cost.sort_by_key(|v| std::cmp::Reverse(costs[*v]));

    let mut homes = [Home::Stack(0); VARIABLES];
    for (rank, v) in by_cost.into_iter().enumerate() {
        homes[v] = match REGISTERS.get(rank) {
            Some(register) => Home::Register(*register),
            None => Home::Stack(-8 * (rank - REGISTERS.len() + 1) as i8),
        };
    }
    homes
}

/// The variables in the order in which they are loaded: the one that overwrites the
/// pointer last.
#[must_use]
pub fn load_order(homes: &[Home; VARIABLES]) -> [u8; VARIABLES] {
    let mut order: [u8; VARIABLES] = std::array::from_fn(|v| v as u8);
    order.sort_by_key(|v| homes[usize::from(*v)] == Home::Register(POINTER));
    order
}
