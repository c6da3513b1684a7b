//! The parallel-move resolver on every set of moves between a few places, with every amount of room.

use regalloc_linearscan::{Loc, MoveResolver, PReg, PRegSet, RegClass, Scratch};
use std::collections::BTreeMap;

const CLASS: RegClass = RegClass::Int;

/// Free registers, and slots from 100 on.
struct Room {
    free: Vec<PReg>,
    slots: u32,
}

impl Scratch for Room {
    fn free_reg(&mut self, _: RegClass, except: PRegSet) -> Option<PReg> {
        self.free.iter().copied().find(|&reg| !except.contains(reg))
    }

    fn any_reg(&mut self, class: RegClass) -> Option<PReg> {
        Some(PReg::new(0, class))
    }

    fn slot(&mut self, _: RegClass) -> Loc {
        self.slots += 1;
        Loc::slot(99 + self.slots)
    }

    fn reset(&mut self) {
        self.slots = 0;
    }

    fn is_memory(&self, loc: Loc) -> bool {
        loc.as_reg().is_none()
    }
}

/// Every place keeps its value or gets that of any place: `sources[i]` is where place `i` gets its value from.
fn check(places: &[Loc], sources: &[usize], free: usize) {
    let mut resolver = MoveResolver::default();
    for (to, &from) in sources.iter().enumerate() {
        resolver.add(places[from], places[to], CLASS);
    }
    let mut room = Room { free: (0..free).map(|n| PReg::new(20 + n as u8, CLASS)).collect(), slots: 0 };
    let mut values: BTreeMap<Loc, usize> = places.iter().copied().zip(0..).collect();
    // A register that may be borrowed holds something, too.
    values.entry(Loc::reg(PReg::new(0, CLASS))).or_insert(99);
    let bystanders = values.clone();
    let done = resolver.resolve(&mut room, |from, to, _| {
        assert!(from.as_reg().is_some() || to.as_reg().is_some(), "memory to memory");
        let value = values.get(&from).copied().unwrap_or(usize::MAX);
        values.insert(to, value);
    });
    assert_eq!(done, Ok(()));
    for (to, &from) in sources.iter().enumerate() {
        assert_eq!(values[&places[to]], from, "{places:?} {sources:?}, {free} free");
    }
    for (loc, value) in bystanders.iter().filter(|(loc, _)| !places.contains(loc)) {
        assert_eq!(values[loc], *value, "{loc:?} was in use: {places:?} {sources:?}, {free} free");
    }
}

#[test]
fn all_sets_of_moves() {
    let mut sets = 0;
    for count in 1..=5usize {
        for in_memory in 0..1usize << count {
            let places: Vec<Loc> = (0..count)
                .map(|n| {
                    let is_slot = in_memory >> n & 1 != 0;
                    if is_slot { Loc::slot(n as u32) } else { Loc::reg(PReg::new(n as u8 + 1, CLASS)) }
                })
                .collect();
            for code in 0..count.pow(count as u32) {
                let sources: Vec<usize> = (0..count).map(|n| code / count.pow(n as u32) % count).collect();
                for free in 0..3 {
                    check(&places, &sources, free);
                    sets += 1;
                }
            }
        }
    }
    assert_eq!(sets, 3 * (2 + 4 * 4 + 8 * 27 + 16 * 256 + 32 * 3125));
}

#[test]
fn borrowed_register_takes_part() {
    // The register that is saved for a move between slots is itself moved.
    let (r0, r1) = (Loc::reg(PReg::new(0, CLASS)), Loc::reg(PReg::new(1, CLASS)));
    check(&[r0, r1, Loc::slot(0), Loc::slot(1)], &[1, 0, 3, 2], 0);
    check(&[r0, Loc::slot(0), Loc::slot(1), Loc::slot(2)], &[1, 2, 0, 1], 0);
}

#[test]
fn constants_go_through_a_register() {
    use regalloc_linearscan::VReg;
    let mut resolver = MoveResolver::default();
    resolver.add(Loc::remat(VReg(7)), Loc::slot(0), CLASS);
    let mut moves = Vec::new();
    let mut room = Room { free: vec![PReg::new(3, CLASS)], slots: 0 };
    assert_eq!(resolver.resolve(&mut room, |from, to, _| moves.push((from, to))), Ok(()));
    let r3 = Loc::reg(PReg::new(3, CLASS));
    assert_eq!(moves, [(Loc::remat(VReg(7)), r3), (r3, Loc::slot(0))]);
}
