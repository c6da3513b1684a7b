//! What [`FilterBuilder::build`](super::FilterBuilder::build) checks, and the canonical form.
//!
//! Cost: quadratic in the number of atoms between two shifts, of which there are at most [`MAX_ATOMS`](super::MAX_ATOMS).

use smallvec::SmallVec;

use super::{Atom, Field, MAX_ATOMS, MAX_OFFSET, MAX_SHIFTS};
use crate::error::FilterError;

/// Atoms of a level with their number in the builder's order, offsets counted from the start of the level.
type Level = SmallVec<[(usize, Atom); 8]>;

/// Checks the atoms of a builder and brings them into canonical form.
pub(super) fn canonical(atoms: &[Atom]) -> Result<Box<[Atom]>, FilterError> {
    if atoms.len() > MAX_ATOMS {
        return Err(FilterError::TooMany { atoms: atoms.len() });
    }
    let mut result: SmallVec<[Atom; 8]> = SmallVec::new();
    let mut level = Level::new();
    let mut advanced = 0u64;
    let mut stateful = [None; 2];
    let mut shifts = 0;
    for (number, &atom) in atoms.iter().enumerate() {
        if let Atom::Advance { bytes } = atom {
            advanced += u64::from(bytes);
            continue;
        }
        let field = atom.field().expect("only constant shifts have none");
        check_alone(number, &atom, field)?;
        let end = u64::from(field.offset) + u64::from(field.width) + advanced;
        if end > u64::from(MAX_OFFSET) + 1 {
            return Err(FilterError::Offset { atom: number, end });
        }
        let atom = atom.moved(advanced as u32);
        match atom {
            Atom::Shift { .. } => {
                shifts += 1;
                if shifts > MAX_SHIFTS {
                    return Err(FilterError::TooManyShifts { atom: number });
                }
                end_level(&mut level, &mut result);
                result.push(atom);
            }
            Atom::Record { .. } | Atom::MatchRecorded { .. } => {
                let earlier = &mut stateful[usize::from(matches!(atom, Atom::Record { .. }))];
                if let Some(first) = earlier.replace(number) {
                    return Err(FilterError::SecondStateful { atom: number, first });
                }
                level.push((number, atom));
            }
            _ => {
                for (other, before) in &level {
                    check_pair(*other, before, number, &atom)?;
                }
                level.push((number, atom));
            }
        }
    }
    end_level(&mut level, &mut result);
    Ok(result.into_vec().into_boxed_slice())
}

fn end_level(level: &mut Level, result: &mut SmallVec<[Atom; 8]>) {
    // Stable, and fields of one level are disjoint, so the key needs no more than the place and what tells twins apart.
    level.sort_by_key(|(_, atom)| {
        let (kind, mask) = match *atom {
            Atom::Eq { mask, .. } => (0, mask),
            Atom::Range { mask, .. } => (1, mask.into()),
            Atom::MatchRecorded { mask, .. } => (2, mask),
            _ => (3, 0),
        };
        (kind >= 2, atom.field(), kind, mask)
    });
    result.extend(level.drain(..).map(|(_, atom)| atom));
}

/// What can be told from an atom alone.
fn check_alone(number: usize, atom: &Atom, field: Field) -> Result<(), FilterError> {
    let limit = match atom {
        Atom::Range { .. } => 8,
        Atom::Shift { .. } => 4,
        _ => 16,
    };
    if field.width == 0 || field.width > limit {
        return Err(FilterError::Width { atom: number, width: field.width.into() });
    }
    let (mask, beyond, empty) = match *atom {
        Atom::Eq { mask, value, .. } => (mask, value & !mask != 0, false),
        // More than comparing the ends: 5..=6 under the mask 0xf0 is empty.
        Atom::Range { mask, low, high, .. } => {
            (mask.into(), false, least_at_or_above(mask, low).is_none_or(|least| least > high))
        }
        Atom::Shift { mask, left, .. } if left > 16 => {
            return Err(FilterError::ShiftTooFar { atom: number, left: left.into(), mask });
        }
        Atom::Shift { mask, .. } => (mask.into(), false, false),
        Atom::Record { mask, .. } | Atom::MatchRecorded { mask, .. } => (mask, false, false),
        Atom::Advance { .. } => return Ok(()),
    };
    if mask == 0 || mask & !field.ones() != 0 {
        return Err(FilterError::Mask { atom: number, mask });
    }
    if beyond || empty {
        return Err(FilterError::Never { atom: number, what: atom.to_string() });
    }
    Ok(())
}

/// The least number that has bits of `mask` only and is at least `low`.
fn least_at_or_above(mask: u64, low: u64) -> Option<u64> {
    if low & !mask == 0 {
        return Some(low);
    }
    // Above the highest digit of `low` that the mask lacks, count up by one in the mask's digits.
    let stuck = 63 - (low & !mask).leading_zeros();
    let above = if stuck == 63 { 0 } else { !0 << (stuck + 1) };
    let digits = mask & above;
    let next = (low | !digits).checked_add(1)? & digits;
    Some(next)
}

/// The bits of a level that an atom tests, as one mask from its first byte, and which values are allowed.
fn tested(atom: &Atom) -> Option<(Field, u128)> {
    match *atom {
        Atom::Eq { field, mask, .. } => Some((field, mask)),
        Atom::Range { field, mask, .. } => Some((field, mask.into())),
        _ => None,
    }
}

/// Two atoms of one level: no bit is tested twice.
fn check_pair(first: usize, a: &Atom, second: usize, b: &Atom) -> Result<(), FilterError> {
    let (Some((fa, ma)), Some((fb, mb))) = (tested(a), tested(b)) else { return Ok(()) };
    let byte = |field: Field, number: u128, at: u32| (number >> (8 * (field.end() - 1 - at))) as u8;
    let mut both = false;
    let mut differ = false;
    for at in fa.offset.max(fb.offset)..fa.end().min(fb.end()) {
        let shared = byte(fa, ma, at) & byte(fb, mb, at);
        both |= shared != 0;
        if let (Atom::Eq { value: va, .. }, Atom::Eq { value: vb, .. }) = (a, b) {
            differ |= (byte(fa, *va, at) ^ byte(fb, *vb, at)) & shared != 0;
        }
    }
    if !both {
        return Ok(());
    }
    let outside = |eq: &Atom, range: &Atom| match (*eq, *range) {
        (Atom::Eq { field: f, mask: m, value }, Atom::Range { field, mask, low, high }) => {
            f == field && m == u128::from(mask) && !(u128::from(low)..=u128::from(high)).contains(&value)
        }
        _ => false,
    };
    let apart = match (*a, *b) {
        (Atom::Range { field: f, mask: m, low: l1, high: h1 }, Atom::Range { field, mask, low: l2, high: h2 }) => {
            f == field && m == mask && (h1 < l2 || h2 < l1)
        }
        _ => false,
    };
    if differ || apart || outside(a, b) || outside(b, a) {
        Err(FilterError::Contradiction { atom: second, first, what: b.to_string(), other: a.to_string() })
    } else {
        Err(FilterError::Overlap { atom: second, first, what: b.to_string(), other: a.to_string() })
    }
}
