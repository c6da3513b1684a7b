//! The flow graph: predecessors, loop depths, and the weight of a block.

use crate::{Block, Error, Function};
use alloc::vec::Vec;

/// Predecessors of every block, as edges.
#[derive(Default)]
pub(crate) struct Cfg {
    /// `pred_edges[pred_starts[b]..pred_starts[b + 1]]` are the edges into block `b`.
    pred_starts: Vec<u32>,
    /// Numbers of edges, by target.
    pred_edges: Vec<u32>,
    /// The block that each edge leaves.
    edge_from: Vec<u32>,
    /// 10^loop depth of each block: how often it runs, by the usual guess.
    weights: Vec<f32>,
    depths: Vec<u8>,
    loops: Loops,
}

/// Depths above this one weigh the same.
const MAX_DEPTH: u8 = 12;

impl Cfg {
    /// Checks the shape of the function and inverts its edges. Cost: O(blocks + edges).
    #[inline(never)]
    pub(crate) fn build(&mut self, f: &Function) -> Result<(), Error> {
        let blocks = f.num_blocks();
        if f.num_insts() >= 1 << 28 || f.classes.len() >= 1 << 28 || f.operands.items.len() >= 1 << 28 {
            return Err(Error::TooLarge);
        }
        let lists_fit = |starts: &[u32], lists: usize, items: usize| {
            if starts.is_empty() {
                items == 0
            } else {
                starts.len() == lists + 1
                    && starts.is_sorted()
                    && starts[0] == 0
                    && starts.last().is_some_and(|&n| n as usize == items)
            }
        };
        let edges = f.succs.items.len();
        if blocks == 0
            || f.block_insts[0] != 0
            || !lists_fit(f.succs.starts, blocks, edges)
            || !lists_fit(f.params.starts, blocks, f.params.items.len())
            || !lists_fit(f.args.starts, edges, f.args.items.len())
            || !lists_fit(f.operands.starts, f.num_insts(), f.operands.items.len())
            || !f.params.get(0).is_empty()
            || !(f.loop_depth.is_empty() || f.loop_depth.len() == blocks)
        {
            return Err(Error::MalformedBlock(Block(0)));
        }

        self.pred_starts.clear();
        self.pred_starts.resize(blocks + 2, 0);
        self.edge_from.clear();
        for b in 0..blocks {
            if f.block_insts[b] >= f.block_insts[b + 1] {
                return Err(Error::MalformedBlock(Block(b as u32)));
            }
            for e in f.succs.range(b) {
                let to = f.succs.items[e].0 as usize;
                if to >= blocks {
                    return Err(Error::MalformedBlock(Block(b as u32)));
                }
                if f.args.get(e).len() != f.params.get(to).len() {
                    return Err(Error::MalformedArgs(e as u32));
                }
                self.edge_from.push(b as u32);
                self.pred_starts[to + 2] += 1;
            }
        }
        for b in 2..self.pred_starts.len() {
            self.pred_starts[b] += self.pred_starts[b - 1];
        }
        self.pred_edges.clear();
        self.pred_edges.resize(edges, 0);
        for (e, to) in f.succs.items.iter().enumerate() {
            let next = &mut self.pred_starts[to.0 as usize + 1];
            self.pred_edges[*next as usize] = e as u32;
            *next += 1;
        }

        let depths = if f.loop_depth.is_empty() {
            self.loops.find(f, &mut self.depths);
            &self.depths
        } else {
            f.loop_depth
        };
        self.weights.clear();
        self.weights.extend(depths.iter().map(|&depth| {
            let mut weight = 1.0;
            for _ in 0..depth.min(MAX_DEPTH) {
                weight *= 10.0;
            }
            weight
        }));
        Ok(())
    }

    /// The edges into block `b`.
    #[inline]
    pub(crate) fn preds(&self, b: usize) -> &[u32] {
        &self.pred_edges[self.pred_starts[b] as usize..self.pred_starts[b + 1] as usize]
    }

    /// The block that edge `e` leaves.
    #[inline]
    pub(crate) fn edge_from(&self, e: usize) -> usize {
        self.edge_from[e] as usize
    }

    /// How often block `b` runs, by the usual guess: 10^loop depth.
    #[inline]
    pub(crate) fn weight(&self, b: usize) -> f32 {
        self.weights[b]
    }
}

/// The loop depth of each block, from the order of blocks alone: an edge to an earlier block (or the same one) makes a
/// loop of all blocks between; edges to the same target make one loop. Exact for reducible flow graphs whose loops are
/// contiguous. Cost: O(blocks + edges).
pub fn loop_depths(f: &Function) -> Vec<u8> {
    let mut depths = Vec::new();
    Loops::default().find(f, &mut depths);
    depths
}

/// Buffers of [`loop_depths`].
#[derive(Default)]
struct Loops {
    /// Per block, the block after the last one that jumps back to it; 0 if none does.
    ends: Vec<u32>,
    /// Per block, how many loops have ended before it.
    ending: Vec<u32>,
}

impl Loops {
    fn find(&mut self, f: &Function, depths: &mut Vec<u8>) {
        let blocks = f.num_blocks();
        depths.clear();
        for table in [&mut self.ends, &mut self.ending] {
            table.clear();
            table.resize(blocks + 1, 0);
        }
        for b in 0..blocks {
            for to in f.succs.get(b).iter().filter(|to| to.0 as usize <= b) {
                self.ends[to.0 as usize] = b as u32 + 1;
            }
        }
        let mut depth = 0u32;
        for b in 0..blocks {
            depth -= self.ending[b];
            if self.ends[b] != 0 {
                depth += 1;
                self.ending[self.ends[b] as usize] += 1;
            }
            depths.push(depth.min(255) as u8);
        }
    }
}
