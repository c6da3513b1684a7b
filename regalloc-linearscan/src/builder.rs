//! An owned function, built block by block: for tests, examples, and clients that don't keep flat slices of their own.

use crate::{Block, Function, Inst, Lists, Operand, PRegSet, RegClass, VReg};
use alloc::vec;
use alloc::vec::Vec;

/// Owns the slices of a [`Function`]. Blocks are built in order, then edges are added, in any order.
///
/// ```
/// use regalloc_linearscan::{Constraint, FunctionBuilder, Operand, RegClass};
/// let mut b = FunctionBuilder::new();
/// let x = b.vreg(RegClass::Int);
/// let entry = b.block(&[]);
/// b.inst(&[Operand::late_def(x, Constraint::Reg)]);
/// b.inst(&[]);
/// let exit = b.block(&[]);
/// b.inst(&[Operand::early_use(x, Constraint::Any)]);
/// b.edge(entry, exit, &[]);
/// assert_eq!(b.function().num_insts(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct FunctionBuilder {
    classes: Vec<RegClass>,
    block_insts: Vec<u32>,
    succ_starts: Vec<u32>,
    succs: Vec<Block>,
    param_starts: Vec<u32>,
    params: Vec<VReg>,
    arg_starts: Vec<u32>,
    args: Vec<VReg>,
    operand_starts: Vec<u32>,
    operands: Vec<Operand>,
    clobbers: Vec<(Inst, PRegSet)>,
    constants: Vec<VReg>,
    hints: Vec<(VReg, VReg)>,
}

impl Default for FunctionBuilder {
    fn default() -> Self {
        FunctionBuilder::new()
    }
}

impl FunctionBuilder {
    /// An empty function.
    pub fn new() -> FunctionBuilder {
        FunctionBuilder {
            classes: Vec::new(),
            block_insts: vec![0],
            succ_starts: vec![0],
            succs: Vec::new(),
            param_starts: vec![0],
            params: Vec::new(),
            arg_starts: vec![0],
            args: Vec::new(),
            operand_starts: vec![0],
            operands: Vec::new(),
            clobbers: Vec::new(),
            constants: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// A new vreg.
    pub fn vreg(&mut self, class: RegClass) -> VReg {
        self.classes.push(class);
        VReg(self.classes.len() as u32 - 1)
    }

    /// A new vreg that is a constant: see [`Function::constants`].
    pub fn constant(&mut self, class: RegClass) -> VReg {
        let vreg = self.vreg(class);
        self.constants.push(vreg);
        vreg
    }

    /// Two vregs would like the same location.
    pub fn hint(&mut self, a: VReg, b: VReg) {
        self.hints.push((a, b));
    }

    /// Starts the next block.
    pub fn block(&mut self, params: &[VReg]) -> Block {
        self.params.extend_from_slice(params);
        self.param_starts.push(self.params.len() as u32);
        self.succ_starts.push(self.succs.len() as u32);
        self.block_insts.push(self.operand_starts.len() as u32 - 1);
        Block(self.block_insts.len() as u32 - 2)
    }

    /// Adds an instruction to the block that was started last.
    ///
    /// # Panics
    /// If there is no block.
    pub fn inst(&mut self, operands: &[Operand]) -> Inst {
        assert!(self.block_insts.len() > 1, "instructions are in blocks");
        self.operands.extend_from_slice(operands);
        self.operand_starts.push(self.operands.len() as u32);
        if let Some(end) = self.block_insts.last_mut() {
            *end = self.operand_starts.len() as u32 - 1;
        }
        Inst(self.operand_starts.len() as u32 - 2)
    }

    /// As [`FunctionBuilder::inst`], with registers that the instruction destroys.
    pub fn inst_with_clobbers(&mut self, operands: &[Operand], clobbers: PRegSet) -> Inst {
        let inst = self.inst(operands);
        self.clobbers.push((inst, clobbers));
        inst
    }

    /// Adds an edge, after those that `from` has already.
    ///
    /// # Panics
    /// If `from` is no block yet.
    pub fn edge(&mut self, from: Block, to: Block, args: &[VReg]) {
        let at = self.succ_starts[from.0 as usize + 1] as usize;
        self.succs.insert(at, to);
        self.succ_starts[from.0 as usize + 1..].iter_mut().for_each(|start| *start += 1);
        let start = self.arg_starts[at] as usize;
        self.args.splice(start..start, args.iter().copied());
        self.arg_starts.insert(at, start as u32);
        self.arg_starts[at + 1..].iter_mut().for_each(|start| *start += args.len() as u32);
    }

    /// The function, borrowed.
    pub fn function(&self) -> Function<'_> {
        Function {
            classes: &self.classes,
            block_insts: &self.block_insts,
            succs: Lists { starts: &self.succ_starts, items: &self.succs },
            params: Lists { starts: &self.param_starts, items: &self.params },
            args: Lists { starts: &self.arg_starts, items: &self.args },
            operands: Lists { starts: &self.operand_starts, items: &self.operands },
            clobbers: &self.clobbers,
            loop_depth: &[],
            constants: &self.constants,
            hints: &self.hints,
        }
    }
}
