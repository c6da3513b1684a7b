//! [`Tree`]: what the groups have in common, merged.
//!
//! A group's path is what its filters test with constants, in canonical order, and ends in the group itself as a leaf. Paths
//! share their beginnings; a branch counts the paths that use it, and goes when the last of them does.

use smallvec::SmallVec;

use crate::filter::{Atom, Field};

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The field under the mask equals the value.
    Eq { field: Field, mask: u128, value: u128 },
    /// The field under the mask lies in a range.
    Range { field: Field, mask: u64, low: u64, high: u64 },
    /// The packet has this many bytes behind the base.
    Need { end: u32 },
    /// The next level's base is this one's moved on by a field.
    Shift { field: Field, mask: u32, left: u8 },
    /// The filters of a group: look up what tells them apart.
    Leaf { group: u32 },
}

/// A step, and what may follow it: alternatives, of which several may hold.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) step: Step,
    /// Paths that go through here.
    uses: u32,
    pub(crate) then: Vec<Branch>,
}

/// A group's path.
pub(crate) type Path = SmallVec<[Step; 8]>;

/// The path of a group: its shape, and the values that all of its filters share.
pub(crate) fn path(shape: &[Atom], consts: &[(u8, u128)], group: u32) -> Path {
    let mut path = Path::new();
    for (number, atom) in shape.iter().enumerate() {
        match *atom {
            Atom::Eq { field, mask, .. } => {
                if let Some((_, value)) = consts.iter().find(|(atom, _)| usize::from(*atom) == number) {
                    path.push(Step::Eq { field, mask, value: *value });
                }
            }
            Atom::Range { field, mask, low, high } => path.push(Step::Range { field, mask, low, high }),
            Atom::Shift { field, mask, left } => path.push(Step::Shift { field, mask, left }),
            Atom::Record { field, .. } | Atom::MatchRecorded { field, .. } => {
                path.push(Step::Need { end: field.end() });
            }
            Atom::Advance { .. } => {}
        }
    }
    path.push(Step::Leaf { group });
    path
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    pub(crate) root: Vec<Branch>,
}

impl Tree {
    /// How many of a path's first steps are here.
    pub(crate) fn shared(&self, path: &[Step]) -> usize {
        let mut branches = &self.root;
        for (at, step) in path.iter().enumerate() {
            match branches.iter().find(|branch| branch.step == *step) {
                Some(branch) => branches = &branch.then,
                None => return at,
            }
        }
        path.len()
    }

    /// Merges a path.
    pub(crate) fn insert(&mut self, path: &[Step]) {
        let mut branches = &mut self.root;
        for step in path {
            let at = branches.iter().position(|branch| branch.step == *step).unwrap_or_else(|| {
                branches.push(Branch { step: *step, uses: 0, then: Vec::new() });
                branches.len() - 1
            });
            branches[at].uses += 1;
            branches = &mut branches[at].then;
        }
    }

    /// Takes out a path that was merged.
    pub(crate) fn remove(&mut self, path: &[Step]) {
        let mut branches = &mut self.root;
        for step in path {
            let at = branches.iter().position(|branch| branch.step == *step).expect("the path was inserted");
            branches[at].uses -= 1;
            if branches[at].uses == 0 {
                branches.swap_remove(at);
                return;
            }
            branches = &mut branches[at].then;
        }
    }
}
