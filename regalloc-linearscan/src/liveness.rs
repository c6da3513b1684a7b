//! Which vregs are live into and out of each block.
//!
//! Only vregs that are mentioned in more than one block, or used before they are defined in their block, can be live
//! across a block's border; these *globals* are numbered densely, so that the sets of most functions are a few words.
//!
//! Backward dataflow (Appel, *Modern Compiler Implementation*, 10.1): `out = ∪ in of successors` (and the arguments
//! passed to them), `in = upward-exposed ∪ (out − defined)`. Cost: O(operands + rounds × blocks × globals / 64).

use crate::{Error, Function, Inst, Operand, OperandKind, VReg};
use alloc::vec::Vec;

/// No block yet, and no number.
const NONE: u32 = u32::MAX;

#[derive(Default)]
pub(crate) struct Liveness {
    /// Per vreg: the block of its latest mention.
    last_block: Vec<u32>,
    /// Per vreg: its number among the globals.
    number: Vec<u32>,
    /// The vreg of each global.
    globals: Vec<VReg>,
    /// First mentions of globals in each block: block, number, whether it is a def. Later ones do not matter.
    mentions: Vec<(u32, u32, bool)>,
    /// Words per set.
    words: usize,
    live_in: Vec<u64>,
    live_out: Vec<u64>,
    /// Per block: globals that it defines before any use.
    defined: Vec<u64>,
}

impl Liveness {
    #[inline(never)]
    pub(crate) fn compute(&mut self, f: &Function) -> Result<(), Error> {
        self.number_globals(f)?;
        let blocks = f.num_blocks();
        self.words = self.globals.len().div_ceil(64);
        for set in [&mut self.live_in, &mut self.live_out, &mut self.defined] {
            set.clear();
            set.resize(blocks * self.words, 0);
        }
        for &(block, number, is_def) in &self.mentions {
            let set = if is_def { &mut self.defined } else { &mut self.live_in };
            set[block as usize * self.words + number as usize / 64] |= 1 << (number % 64);
        }
        self.solve(f);
        match self.live_in(0).next() {
            Some(vreg) => Err(Error::UndefinedUse(vreg)),
            None => Ok(()),
        }
    }

    fn number_globals(&mut self, f: &Function) -> Result<(), Error> {
        let vregs = f.classes.len();
        for table in [&mut self.last_block, &mut self.number] {
            table.clear();
            table.resize(vregs, NONE);
        }
        self.globals.clear();
        self.mentions.clear();
        for b in 0..f.num_blocks() {
            let block = b as u32;
            for &vreg in f.params.get(b) {
                let last = self.last_block.get(vreg.index()).ok_or(Error::NoSuchVReg(vreg, Inst(f.block_insts[b])))?;
                if *last != block {
                    self.first_mention(vreg, block, true);
                }
            }
            for i in f.insts(b) {
                let operands = f.operands.get(i);
                for op in operands {
                    let Some(&last) = self.last_block.get(op.vreg.index()) else {
                        if op.vreg == VReg::NONE {
                            continue;
                        }
                        return Err(Error::NoSuchVReg(op.vreg, Inst(i as u32)));
                    };
                    if last != block {
                        // An instruction that uses and defines a vreg uses it first.
                        let is_use = |o: &Operand| o.vreg == op.vreg && o.kind == OperandKind::Use;
                        self.first_mention(op.vreg, block, !operands.iter().any(is_use));
                    }
                }
            }
            for e in f.succs.range(b) {
                for (&arg, &param) in f.args.get(e).iter().zip(f.params.get(f.succs.items[e].0 as usize)) {
                    let last = self.last_block.get(arg.index()).ok_or(Error::MalformedArgs(e as u32))?;
                    if f.classes.get(param.index()) != Some(&f.classes[arg.index()]) {
                        return Err(Error::MalformedArgs(e as u32));
                    }
                    if *last != block {
                        self.first_mention(arg, block, false);
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes the first mention of a vreg in a block.
    fn first_mention(&mut self, vreg: VReg, block: u32, is_def: bool) {
        let first_block = core::mem::replace(&mut self.last_block[vreg.index()], block);
        let number = &mut self.number[vreg.index()];
        if *number == NONE {
            if first_block == NONE && is_def {
                return;
            }
            *number = self.globals.len() as u32;
            self.globals.push(vreg);
            if first_block != NONE {
                self.mentions.push((first_block, *number, true));
            }
        }
        self.mentions.push((block, *number, is_def));
    }

    fn solve(&mut self, f: &Function) {
        let words = self.words;
        let mut changed = true;
        while changed {
            changed = false;
            for b in (0..f.num_blocks()).rev() {
                let set = b * words..(b + 1) * words;
                for succ in f.succs.get(b) {
                    let succ = succ.0 as usize;
                    let live_in = &self.live_in[succ * words..(succ + 1) * words];
                    for (out, live_in) in self.live_out[set.clone()].iter_mut().zip(live_in) {
                        *out |= live_in;
                    }
                }
                let (live_in, live_out) = (&mut self.live_in[set.clone()], &self.live_out[set.clone()]);
                for ((live, out), defined) in live_in.iter_mut().zip(live_out).zip(&self.defined[set]) {
                    let before = *live;
                    *live |= out & !defined;
                    changed |= *live != before;
                }
            }
        }
    }

    /// Globals live into block `b`, its parameters not among them.
    fn live_in(&self, b: usize) -> impl Iterator<Item = VReg> {
        let words = &self.live_in[b * self.words..(b + 1) * self.words];
        words.iter().enumerate().flat_map(move |(w, &set)| bits(set).map(move |bit| self.globals[w * 64 + bit]))
    }

    /// Calls `visit` for each global live out of block `b` into a successor; not for what is only passed as an argument.
    #[inline]
    pub(crate) fn for_each_live_out(&self, b: usize, mut visit: impl FnMut(VReg)) {
        for (w, &set) in self.live_out[b * self.words..(b + 1) * self.words].iter().enumerate() {
            for bit in bits(set) {
                visit(self.globals[w * 64 + bit]);
            }
        }
    }

    /// Calls `visit` for each global live into block `b` that is also in `of`, a set by [`Liveness::set_of`].
    #[inline]
    pub(crate) fn for_each_live_in_among(&self, b: usize, of: &[u64], mut visit: impl FnMut(VReg)) {
        for (w, (&set, &of)) in self.live_in[b * self.words..(b + 1) * self.words].iter().zip(of).enumerate() {
            for bit in bits(set & of) {
                visit(self.globals[w * 64 + bit]);
            }
        }
    }

    /// Makes `set` the set of those globals for which `pred` holds.
    pub(crate) fn set_of(&self, set: &mut Vec<u64>, pred: impl Fn(VReg) -> bool) {
        set.clear();
        set.resize(self.words, 0);
        for (g, &vreg) in self.globals.iter().enumerate() {
            if pred(vreg) {
                set[g / 64] |= 1 << (g % 64);
            }
        }
    }
}

fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let bit = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}
