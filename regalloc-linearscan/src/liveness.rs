//! Which vregs are live into and out of each block.
//!
//! Only vregs that are mentioned in more than one block, or used before they are defined in their block, can be live
//! across a block's border; these *globals* are numbered densely, so that the sets of most functions are a few words.
//!
//! With [`Precision::Exact`], backward dataflow (Appel, *Modern Compiler Implementation*, 10.1): `out = ∪ in of successors` (and the arguments
//! passed to them), `in = upward-exposed ∪ (out − defined)`. Cost: O(operands + rounds × blocks × globals / 64).
//!
//! With [`Precision::Coarse`], no dataflow (Poletto & Sarkar 1999, section 5.2): the strongly connected components of
//! the flow graph in topological order; a global is alive in all components from the first that mentions it to the last.
//! With [`Precision::None`], not even a flow graph: globals are alive everywhere.

use crate::{Error, Function, Inst, OperandKind, VReg};
use alloc::vec::Vec;

/// How closely liveness is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Exact,
    Coarse,
    None,
}

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
    components: Components,
    extents: Vec<(u32, u32)>,
}

impl Liveness {
    #[inline(never)]
    pub(crate) fn compute(&mut self, f: &Function, precision: Precision) -> Result<(), Error> {
        self.number_globals(f)?;
        let blocks = f.num_blocks();
        self.words = self.globals.len().div_ceil(64);
        for set in [&mut self.live_in, &mut self.live_out, &mut self.defined] {
            set.clear();
            set.resize(blocks * self.words, 0);
        }
        if precision != Precision::Exact {
            self.approximate(f, precision);
            return Ok(());
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
                // An instruction that uses and defines a vreg uses it first.
                for op in operands.iter().filter(|op| op.kind == OperandKind::Use && op.vreg != VReg::NONE) {
                    let last =
                        *self.last_block.get(op.vreg.index()).ok_or(Error::NoSuchVReg(op.vreg, Inst(i as u32)))?;
                    if last != block {
                        self.first_mention(op.vreg, block, false);
                    }
                }
                for op in operands.iter().filter(|op| op.kind == OperandKind::Def) {
                    let last =
                        *self.last_block.get(op.vreg.index()).ok_or(Error::NoSuchVReg(op.vreg, Inst(i as u32)))?;
                    if last != block {
                        self.first_mention(op.vreg, block, true);
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

    /// Makes globals alive from their first component to their last.
    fn approximate(&mut self, f: &Function, precision: Precision) {
        let blocks = f.num_blocks();
        if precision == Precision::None {
            self.components.all_in_one(blocks);
        } else {
            self.components.find(f);
        }
        let of_block = &self.components.of_block;
        // Per global, the first and last component that mention it.
        self.extents.clear();
        self.extents.resize(self.globals.len(), (u32::MAX, 0));
        for &(block, number, _) in &self.mentions {
            let component = of_block[block as usize];
            let extent = &mut self.extents[number as usize];
            *extent = (extent.0.min(component), extent.1.max(component));
        }
        for (b, &component) in of_block.iter().enumerate() {
            let is_loop = self.components.is_loop[component as usize];
            for (g, &(first, last)) in self.extents.iter().enumerate() {
                let bit = 1 << (g % 64);
                let word = b * self.words + g / 64;
                let is_inside = first <= component && component <= last;
                if is_inside && (component < last || is_loop) {
                    self.live_out[word] |= bit;
                }
                if is_inside && (first < component || is_loop) {
                    self.live_in[word] |= bit;
                }
            }
        }
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

/// The strongly connected components of a flow graph, numbered in topological order.
#[derive(Default)]
struct Components {
    of_block: Vec<u32>,
    /// Per component, whether control can come back to it.
    is_loop: Vec<bool>,
    /// Per block: its number in depth-first order.
    visited: Vec<u32>,
    low: Vec<u32>,
    /// Blocks whose component is not known yet.
    open: Vec<u32>,
    /// Blocks being visited, and the next of their successors.
    path: Vec<(u32, u32)>,
}

impl Components {
    fn all_in_one(&mut self, blocks: usize) {
        self.of_block.clear();
        self.of_block.resize(blocks, 0);
        self.is_loop.clear();
        self.is_loop.push(true);
    }

    /// Tarjan, *Depth-First Search and Linear Graph Algorithms* (1972), without recursion.
    fn find(&mut self, f: &Function) {
        let blocks = f.num_blocks();
        for table in [&mut self.of_block, &mut self.visited, &mut self.low] {
            table.clear();
            table.resize(blocks, NONE);
        }
        self.is_loop.clear();
        let mut count = 0;
        for root in 0..blocks as u32 {
            if self.visited[root as usize] == NONE {
                self.path.push((root, 0));
            }
            while let Some(&mut (block, ref mut next)) = self.path.last_mut() {
                let b = block as usize;
                if *next == 0 && self.visited[b] == NONE {
                    self.visited[b] = count;
                    self.low[b] = count;
                    count += 1;
                    self.open.push(block);
                }
                let succs = f.succs.get(b);
                if let Some(succ) = succs.get(*next as usize) {
                    *next += 1;
                    let s = succ.0 as usize;
                    if self.visited[s] == NONE {
                        self.path.push((succ.0, 0));
                    } else if self.of_block[s] == NONE {
                        self.low[b] = self.low[b].min(self.visited[s]);
                    }
                    continue;
                }
                self.path.pop();
                if let Some(&(parent, _)) = self.path.last() {
                    self.low[parent as usize] = self.low[parent as usize].min(self.low[b]);
                }
                if self.low[b] == self.visited[b] {
                    let component = self.is_loop.len() as u32;
                    let mut size = 0;
                    while let Some(member) = self.open.pop() {
                        self.of_block[member as usize] = component;
                        size += 1;
                        if member == block {
                            break;
                        }
                    }
                    self.is_loop.push(size > 1 || succs.iter().any(|s| s.0 == block));
                }
            }
        }
        // Components were found in reverse topological order.
        let last = self.is_loop.len() as u32 - 1;
        self.of_block.iter_mut().for_each(|component| *component = last - *component);
        self.is_loop.reverse();
    }
}
