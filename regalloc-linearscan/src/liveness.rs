//! Which vregs are live into and out of each block.
//!
//! Only vregs that are mentioned in more than one block, or used before they are defined in their block, can be live
//! across a block's border; these *globals* are numbered densely, so that the sets of most functions are a few words.
//!
//! Backward dataflow (Appel, *Modern Compiler Implementation*, 10.1): `out = ∪ in of successors` (and the arguments
//! passed to them), `in = upward-exposed ∪ (out − defined)`. Cost: O(operands + rounds × blocks × globals / 64).

use crate::{Block, Error, Function, Inst, OperandKind, VReg};
use alloc::vec::Vec;

const UNSEEN: u32 = u32::MAX;
const GLOBAL: u32 = 1 << 31;

#[derive(Default)]
pub(crate) struct Liveness {
    /// Per vreg: `UNSEEN`, the one block that mentions it, or `GLOBAL | number`.
    seen: Vec<u32>,
    /// The vreg of each global.
    globals: Vec<VReg>,
    /// Words per set.
    words: usize,
    live_in: Vec<u64>,
    live_out: Vec<u64>,
    /// Per block: globals that it defines before any use.
    defined: Vec<u64>,
}

impl Liveness {
    pub(crate) fn compute(&mut self, f: &Function) -> Result<(), Error> {
        self.number_globals(f)?;
        let blocks = f.num_blocks();
        self.words = self.globals.len().div_ceil(64);
        for set in [&mut self.live_in, &mut self.live_out, &mut self.defined] {
            set.clear();
            set.resize(blocks * self.words, 0);
        }
        if self.words == 0 {
            return Ok(());
        }
        self.local_sets(f);
        self.solve(f);
        match self.live_in(0).next() {
            Some(vreg) => Err(Error::UndefinedUse(vreg)),
            None => Ok(()),
        }
    }

    fn number_globals(&mut self, f: &Function) -> Result<(), Error> {
        let Liveness { seen, globals, .. } = self;
        seen.clear();
        seen.resize(f.classes.len(), UNSEEN);
        globals.clear();
        let mut mention = |vreg: VReg, block: u32, is_use: bool| -> Option<()> {
            let state = seen.get_mut(vreg.index())?;
            if *state != block && *state & GLOBAL == 0 || *state == UNSEEN {
                if *state == UNSEEN && !is_use {
                    *state = block;
                } else {
                    *state = GLOBAL | globals.len() as u32;
                    globals.push(vreg);
                }
            }
            Some(())
        };
        for b in 0..f.num_blocks() {
            let block = b as u32;
            for &vreg in f.params.get(b) {
                mention(vreg, block, false).ok_or(Error::NoSuchVReg(vreg, Inst(f.block_insts[b])))?;
            }
            for i in f.insts(b) {
                // Uses come first: an instruction may use and define the same vreg.
                let operands = f.operands.get(i);
                for kind in [OperandKind::Use, OperandKind::Def] {
                    for op in operands.iter().filter(|op| op.kind == kind && op.vreg != VReg::NONE) {
                        mention(op.vreg, block, kind == OperandKind::Use)
                            .ok_or(Error::NoSuchVReg(op.vreg, Inst(i as u32)))?;
                    }
                }
            }
            for e in f.succs.range(b) {
                for (&arg, &param) in f.args.get(e).iter().zip(f.params.get(f.succs.items[e].0 as usize)) {
                    mention(arg, block, true).ok_or(Error::MalformedArgs(e as u32))?;
                    if f.classes.get(param.index()) != Some(&f.classes[arg.index()]) {
                        return Err(Error::MalformedArgs(e as u32));
                    }
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn global(&self, vreg: VReg) -> Option<usize> {
        let state = self.seen[vreg.index()];
        (state != UNSEEN && state & GLOBAL != 0).then_some((state & !GLOBAL) as usize)
    }

    /// Fills `defined`, and `live_in` with what is upward exposed.
    fn local_sets(&mut self, f: &Function) {
        for b in 0..f.num_blocks() {
            let base = b * self.words;
            for &vreg in f.params.get(b) {
                self.define(base, vreg);
            }
            for i in f.insts(b) {
                let operands = f.operands.get(i);
                for op in operands.iter().filter(|op| op.kind == OperandKind::Use && op.vreg != VReg::NONE) {
                    self.expose(base, op.vreg);
                }
                for op in operands.iter().filter(|op| op.kind == OperandKind::Def) {
                    self.define(base, op.vreg);
                }
            }
            for e in f.succs.range(b) {
                for &arg in f.args.get(e) {
                    self.expose(base, arg);
                }
            }
        }
    }

    #[inline]
    fn define(&mut self, base: usize, vreg: VReg) {
        if let Some(g) = self.global(vreg) {
            self.defined[base + g / 64] |= 1 << (g % 64);
        }
    }

    #[inline]
    fn expose(&mut self, base: usize, vreg: VReg) {
        if let Some(g) = self.global(vreg) {
            self.live_in[base + g / 64] |= (1 << (g % 64)) & !self.defined[base + g / 64];
        }
    }

    fn solve(&mut self, f: &Function) {
        let words = self.words;
        let mut changed = true;
        while changed {
            changed = false;
            for b in (0..f.num_blocks()).rev() {
                for succ in f.succs.get(b) {
                    for w in 0..words {
                        self.live_out[b * words + w] |= self.live_in[succ.0 as usize * words + w];
                    }
                }
                for w in b * words..(b + 1) * words {
                    let live = self.live_in[w] | self.live_out[w] & !self.defined[w];
                    // Only a back edge can ask for another round.
                    changed |= live != self.live_in[w];
                    self.live_in[w] = live;
                }
            }
        }
        // `live_out` holds what lives into successors; arguments live to the end of their block, too, but no further.
    }

    /// Globals live into block `b`, its parameters not among them.
    pub(crate) fn live_in(&self, b: usize) -> impl Iterator<Item = VReg> {
        self.members(&self.live_in[b * self.words..(b + 1) * self.words])
    }

    /// Globals live out of block `b` into a successor; not what is only passed as an argument.
    pub(crate) fn live_out(&self, b: usize) -> impl Iterator<Item = VReg> {
        self.members(&self.live_out[b * self.words..(b + 1) * self.words])
    }

    /// Members of `live_in(b)` that are also in `of`, a set by [`Liveness::set_of`].
    pub(crate) fn live_in_among<'s>(&'s self, b: usize, of: &'s [u64]) -> impl Iterator<Item = VReg> + 's {
        let words = &self.live_in[b * self.words..(b + 1) * self.words];
        let globals = &self.globals;
        words.iter().zip(of).enumerate().flat_map(move |(w, (&set, &of))| {
            bits(set & of).map(move |bit| globals[w * 64 + bit])
        })
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

    fn members<'s>(&'s self, words: &'s [u64]) -> impl Iterator<Item = VReg> + 's {
        words
            .iter()
            .enumerate()
            .flat_map(move |(w, &set)| bits(set).map(move |bit| self.globals[w * 64 + bit]))
    }

    /// The block of a vreg that is no global.
    pub(crate) fn is_mentioned(&self, vreg: VReg) -> bool {
        self.seen[vreg.index()] != UNSEEN
    }
}

fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let bit = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

#[allow(dead_code)]
fn _unused(_: Block) {}
