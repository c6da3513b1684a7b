//! Which registers are given out, for tests: as always, at random, or only four of each class.
//!
//! Both native tiers ask here where they could take one register as well as another. Without the feature `mutate` the answer is the
//! question, and nothing is left of it. With it, the answer depends on what this thread has [chosen](choose) and on nothing else, so
//! that a program compiled again gets the same registers.

#[cfg(feature = "mutate")]
pub use enabled::{Choice, choose};
#[cfg(feature = "mutate")]
pub(crate) use enabled::{begin, few, hidden, hint, one_of, some_of};

/// Starts a function.
#[cfg(not(feature = "mutate"))]
#[inline(always)]
pub(crate) const fn begin() {}

/// Those of a set of free registers that there shall be.
#[cfg(not(feature = "mutate"))]
#[inline(always)]
pub(crate) const fn few(free: u32) -> u32 {
    free
}

/// Those of the function's registers that there shall not be.
#[cfg(not(feature = "mutate"))]
#[inline(always)]
pub(crate) const fn hidden() -> u32 {
    0
}

/// Those of a set of which the first is taken.
#[cfg(not(feature = "mutate"))]
#[inline(always)]
pub(crate) const fn one_of(set: u32) -> u32 {
    set
}

/// Those of a set that are taken before others.
#[cfg(not(feature = "mutate"))]
#[inline(always)]
pub(crate) const fn some_of(set: u64) -> u64 {
    set
}

/// The register that a value with a choice of `allowed` would like.
#[cfg(not(feature = "mutate"))]
#[inline(always)]
pub(crate) const fn hint(_allowed: u64, hint: u8) -> u8 {
    hint
}

#[cfg(feature = "mutate")]
mod enabled {
    use std::cell::Cell;

    /// How registers are chosen.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub enum Choice {
        /// As always.
        #[default]
        Usual,
        /// Any that would do, by this seed.
        Random(u64),
        /// As if there were four general ones and four of floats, which this seed tells.
        Four(u64),
    }

    thread_local! {
        static CHOICE: Cell<Choice> = const { Cell::new(Choice::Usual) };
        static STATE: Cell<u64> = const { Cell::new(0) };
        /// What there shall not be.
        static HIDDEN: Cell<u32> = const { Cell::new(0) };
    }

    /// How this thread chooses registers from now on.
    pub fn choose(choice: Choice) {
        CHOICE.set(choice);
    }

    pub(crate) fn begin() {
        HIDDEN.set(0);
        if let Choice::Random(seed) = CHOICE.get() {
            STATE.set(seed);
        }
    }

    pub(crate) fn few(free: u32) -> u32 {
        let Choice::Four(seed) = CHOICE.get() else { return free };
        let mut state = seed;
        let few = [0xffff, 0xffff << 16].into_iter().fold(0, |all, class| {
            let mut class = free & class;
            while class.count_ones() > 4 {
                class &= !(1 << nth(class.into(), next(&mut state)));
            }
            all | class
        });
        HIDDEN.set(HIDDEN.get() | free & !few);
        few
    }

    pub(crate) fn hidden() -> u32 {
        HIDDEN.get()
    }

    pub(crate) fn one_of(set: u32) -> u32 {
        match random() {
            Some(random) if set != 0 => 1 << nth(set.into(), random),
            _ => set,
        }
    }

    pub(crate) fn some_of(set: u64) -> u64 {
        random().unwrap_or(set)
    }

    pub(crate) fn hint(allowed: u64, hint: u8) -> u8 {
        match random() {
            Some(random) if allowed != 0 => nth(allowed, random),
            _ => hint,
        }
    }

    /// The next random number, if the choice is one.
    fn random() -> Option<u64> {
        let Choice::Random(_) = CHOICE.get() else { return None };
        let mut state = STATE.get();
        let random = next(&mut state);
        STATE.set(state);
        Some(random)
    }

    /// The next number of the sequence (Steele, Lea & Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
    fn next(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A bit of a set that has any.
    fn nth(mut set: u64, random: u64) -> u8 {
        for _ in 0..random % u64::from(set.count_ones()) {
            set &= set - 1;
        }
        set.trailing_zeros() as u8
    }
}
