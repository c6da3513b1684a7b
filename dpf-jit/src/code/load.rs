//! Quotations that load bytes of a packet.
//!
//! **Invariant.** L1. Who asks for bytes of a field has emitted, on every path to the load, the check that the packet has them:
//! all loads lie between the start of the packet and its end.
#![allow(unsafe_code, reason = "quotations that read packets by address, under the checks that come before them")]

use tickc::prelude::*;

/// Where a level's fields are counted from. A load whose distance from an address is a multiple of its width needs no address
/// computed. Fields of Ethernet payloads lie two bytes off, so there is an address two bytes in; the frame has both.
#[derive(Clone, Copy)]
pub(super) struct Base {
    /// Two bytes behind the base.
    pub(super) two_in: Var<*const u8>,
    /// The base itself, of the frame.
    pub(super) own: Option<Var<*const u8>>,
}

impl Base {
    /// An address, and how far from it the field is.
    fn near(self, offset: u32, width: u8) -> (Var<*const u8>, isize) {
        match self.own {
            Some(own) if offset.is_multiple_of(u32::from(width)) => (own, offset as isize),
            _ => (self.two_in, offset as isize - 2),
        }
    }
}

/// The word of 1, 2 or 4 bytes at `offset`, as the machine loads it.
pub(super) fn load_short<'a>(base: Base, offset: u32, width: u8) -> Code<'a, u32> {
    let (near, distance) = base.near(offset, width);
    let steps = distance / isize::from(width);
    let exact = distance % isize::from(width) == 0;
    match width {
        // SAFETY: L1.
        1 => tick!(unsafe { *@near.offset($distance) } as u32),
        // SAFETY: L1.
        2 if exact => tick!(unsafe { *(@near as *const u16).offset($steps) } as u32),
        // SAFETY: L1.
        2 => tick!(unsafe { *(@near.offset($distance) as *const u16) } as u32),
        // SAFETY: L1.
        _ if exact => tick!(unsafe { *(@near as *const u32).offset($steps) }),
        // SAFETY: L1.
        _ => tick!(unsafe { *(@near.offset($distance) as *const u32) }),
    }
}

/// The word of 1, 2, 4 or 8 bytes at `offset`, as the machine loads it.
pub(super) fn load<'a>(base: Base, offset: u32, width: u8) -> Code<'a, u64> {
    let (near, distance) = base.near(offset, width);
    let steps = distance / isize::from(width);
    let exact = distance % isize::from(width) == 0;
    match width {
        // SAFETY: L1.
        1 => tick!(unsafe { *@near.offset($distance) } as u64),
        // SAFETY: L1.
        2 if exact => tick!(unsafe { *(@near as *const u16).offset($steps) } as u64),
        // SAFETY: L1.
        2 => tick!(unsafe { *(@near.offset($distance) as *const u16) } as u64),
        // SAFETY: L1.
        4 if exact => tick!(unsafe { *(@near as *const u32).offset($steps) } as u64),
        // SAFETY: L1.
        4 => tick!(unsafe { *(@near.offset($distance) as *const u32) } as u64),
        // SAFETY: L1.
        _ if exact => tick!(unsafe { *(@near as *const u64).offset($steps) }),
        // SAFETY: L1.
        _ => tick!(unsafe { *(@near.offset($distance) as *const u64) }),
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
