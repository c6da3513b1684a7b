//! Quotations that load bytes of a packet.
//!
//! **Invariant.** L1. Who asks for bytes of a field has emitted, on every path to the load, the check that the packet has them:
//! all loads lie between the start of the packet and its end. (L3 is one of [`emit`](super::emit).)
#![allow(unsafe_code, reason = "quotations that read packets by address, under the checks that come before them")]

use tickc::prelude::*;

/// The address from which a level's fields are counted.
pub(super) type Base = Var<*const u8>;

/// Whether the word of 1, 2 or 4 bytes at `offset` behind `base`, as the machine loads it, is `value` under `mask`.
pub(super) fn word_is<'a>(base: Base, offset: u32, width: u8, mask: u32, value: u32) -> Code<'a, bool> {
    let offset = offset as usize;
    let whole = mask == u32::MAX >> (32 - 8 * u32::from(width));
    match width {
        // SAFETY: L1.
        1 if whole => tick!(unsafe { *@base.add($offset) } == $(value as u8)),
        // SAFETY: L1.
        2 if whole => tick!(unsafe { *(@base.add($offset) as *const u16) } == $(value as u16)),
        // SAFETY: L1.
        4 if whole => tick!(unsafe { *(@base.add($offset) as *const u32) } == $value),
        // SAFETY: L1.
        1 => tick!(unsafe { *@base.add($offset) } as u32 & $mask == $value),
        // SAFETY: L1.
        2 => tick!(unsafe { *(@base.add($offset) as *const u16) } as u32 & $mask == $value),
        // SAFETY: L1.
        _ => tick!(unsafe { *(@base.add($offset) as *const u32) } & $mask == $value),
    }
}

/// The word of 1, 2, 4 or 8 bytes at `offset` behind `base`, as the machine loads it.
pub(super) fn load<'a>(base: Base, offset: u32, width: u8) -> Code<'a, u64> {
    let offset = offset as usize;
    match width {
        // SAFETY: L1.
        1 => tick!(unsafe { *@base.add($offset) } as u64),
        // SAFETY: L1.
        2 => tick!(unsafe { *(@base.add($offset) as *const u16) } as u64),
        // SAFETY: L1.
        4 => tick!(unsafe { *(@base.add($offset) as *const u32) } as u64),
        // SAFETY: L1.
        _ => tick!(unsafe { *(@base.add($offset) as *const u64) }),
    }
}

/// `width` bytes, 1 to 8, at `offset`, in a word as the machine would load it; none behind the first `limit` is touched.
pub(super) fn load_bytes<'a>(base: Base, offset: u32, width: u8, mask: u64, limit: u32) -> Code<'a, u64> {
    let ones = if width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
    let masked = move |code: Code<'a, u64>, loaded: u64| {
        if mask & ones == loaded { code } else { tick!(@code & $(mask & ones)) }
    };
    if matches!(width, 1 | 2 | 4 | 8) {
        return masked(load(base, offset, width), ones);
    }
    let wide = width.next_power_of_two();
    if offset + u32::from(wide) <= limit {
        return masked(load(base, offset, wide), u64::MAX);
    }
    let low = wide / 2;
    let (first, second) = (
        load_bytes(base, offset, low, u64::MAX, limit),
        load_bytes(base, offset + u32::from(low), width - low, u64::MAX, limit),
    );
    let bits = u32::from(low) * 8;
    masked(tick!(@first | @second << $bits), ones)
}

/// The number of a field in network byte order.
pub(super) fn load_number<'a>(base: Base, offset: u32, width: u8, limit: u32) -> Code<'a, u64> {
    let loaded = load_bytes(base, offset, width, u64::MAX, limit);
    if width == 1 {
        return loaded;
    }
    let down = 64 - 8 * u32::from(width);
    tick!(@loaded.swap_bytes() >> $down)
}

/// The base of the next level: `(value & mask) << left` bytes behind `base`, within or at the end of what the caller has checked, or
/// compared with the packet's end before anything there is loaded.
pub(super) fn advanced<'a>(base: Base, value: &Code<'a, u64>, mask: u64, left: u32) -> Code<'a, *const u8> {
    let count = tick!((@value & $mask) as usize);
    // As elements of that size: their index is scaled by the addressing of memory.
    match left {
        // SAFETY: L3.
        1 => tick!(unsafe { (@base as *const u16).add(@count) as *const u8 }),
        // SAFETY: L3.
        2 => tick!(unsafe { (@base as *const u32).add(@count) as *const u8 }),
        // SAFETY: L3.
        3 => tick!(unsafe { (@base as *const u64).add(@count) as *const u8 }),
        // SAFETY: L3.
        _ => tick!(unsafe { @base.add(@count << $left) }),
    }
}
