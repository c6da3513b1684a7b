//! Spill slots, shared by values that are not alive together.
//!
//! Greedy over intervals by start: a value takes the slot of a value that it is copied from or to if that is free by
//! then, else one of a few free ones, else a new one. Whole extents count, holes included.

use crate::intervals::NONE;
use crate::{Loc, Machine, RegClass};
use alloc::vec::Vec;

/// How many slots are probed before a new one is made.
const PROBES: usize = 16;

#[derive(Default)]
pub(crate) struct Slots {
    /// Per class, for each slot: where it becomes free, and its first unit of the frame.
    slots: [Vec<(u32, u32)>; RegClass::COUNT],
    next_probe: [usize; RegClass::COUNT],
    /// Units in use.
    pub(crate) units: u32,
}

impl Slots {
    pub(crate) fn clear(&mut self) {
        self.slots.iter_mut().for_each(Vec::clear);
        self.next_probe = [0; RegClass::COUNT];
        self.units = 0;
    }

    /// A slot for a value that is alive in `from..to`; starts must ascend from call to call. `wish` is a slot number that
    /// would save a move, or [`NONE`]. Returns the slot's number within its class.
    pub(crate) fn alloc(&mut self, machine: &Machine, class: RegClass, from: u32, to: u32, wish: u32) -> u32 {
        let slots = &mut self.slots[class as usize];
        let take = |slots: &mut Vec<(u32, u32)>, index: usize| {
            slots[index].0 = to;
            index as u32
        };
        if wish != NONE && slots.get(wish as usize).is_some_and(|slot| slot.0 <= from) {
            return take(slots, wish as usize);
        }
        let probe = &mut self.next_probe[class as usize];
        for _ in 0..slots.len().min(PROBES) {
            *probe = if *probe + 1 >= slots.len() { 0 } else { *probe + 1 };
            if slots[*probe].0 <= from {
                return take(slots, *probe);
            }
        }
        let unit = self.fresh(machine, class);
        let slots = &mut self.slots[class as usize];
        slots.push((to, unit));
        slots.len() as u32 - 1
    }

    /// The first unit of a slot that nobody else gets.
    pub(crate) fn fresh(&mut self, machine: &Machine, class: RegClass) -> u32 {
        let size = u32::from(machine.slot_size[class as usize].max(1));
        let unit = self.units.next_multiple_of(size);
        self.units = unit + size;
        unit
    }

    /// The location of a slot by its number.
    pub(crate) fn loc(&self, class: RegClass, index: u32) -> Loc {
        Loc::slot(self.slots[class as usize][index as usize].1)
    }
}
