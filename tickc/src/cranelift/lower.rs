//! Records to CLIF: control flow, memory, traps.

use cranelift_codegen::entity::packed_option::PackedOption;
use cranelift_codegen::ir::condcodes::{CondCode, FloatCC, IntCC};
use cranelift_codegen::ir::{
    self as clif, Block, BlockArg, FuncRef, InstBuilder, JumpTableData, MemFlags, MemFlagsData, Opcode, TrapCode,
    Value, types,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

use super::calls::{Arranged, Passed};
use super::survey::Survey;
use crate::ir::{Condition, Function, Op, Record, VReg};
use crate::machine::Comparison;
use crate::trap::{CODE_STATUS, TrapKind};
use crate::types::Type;

/// What a register of the representation is in CLIF (C1).
#[derive(Clone, Copy)]
pub(super) enum Register {
    /// No record seen so far writes it.
    Unwritten,
    /// One record writes it, which has not been lowered yet.
    Once,
    /// Several do, none of which has been lowered yet.
    Often,
    Value(Value),
    Variable(Variable),
}

/// What is known of a variable at the current place.
#[derive(Clone, Copy)]
pub(super) struct Known {
    /// The number of the stretch in which `value` was found; another one's is of no use.
    stretch: u32,
    value: Value,
    /// Whether the variable has not been told yet.
    dirty: bool,
}

impl Known {
    /// Of a variable that has not been looked at.
    pub(super) fn nothing() -> Known {
        Known { stretch: 0, value: Value::from_u32(0), dirty: false }
    }
}

/// What is kept from function to function.
#[derive(Default)]
pub(super) struct Storage {
    /// By register.
    pub(super) registers: Vec<Register>,
    /// By the index of a label's record: that of the last jump there, or [`Storage::NO_JUMP`].
    pub(super) last_jumps: Vec<u32>,
    /// By the index of a label's record.
    pub(super) blocks: Vec<PackedOption<Block>>,
    /// By register: values of variables (C4).
    pub(super) known: Vec<Known>,
    /// Registers whose variables are dirty.
    dirty: Vec<VReg>,
    pub(super) values: Vec<Value>,
    pub(super) passed: Vec<Arranged>,
}

impl Storage {
    pub(super) const NO_JUMP: u32 = u32::MAX;
}

/// The type of a value in CLIF; nothing asks for that of `()`.
pub(super) fn clif_type(ty: Type) -> clif::Type {
    match ty {
        Type::Bool | Type::I8 | Type::U8 => types::I8,
        Type::I16 | Type::U16 => types::I16,
        Type::I32 | Type::U32 => types::I32,
        Type::F32 => types::F32,
        Type::F64 => types::F64,
        Type::I64 | Type::Isize | Type::U64 | Type::Usize | Type::Ptr | Type::Unit => types::I64,
    }
}

/// A function that is being lowered.
pub(super) struct Lowering<'a, 'b> {
    pub(super) function: &'a Function,
    pub(super) survey: &'a Survey,
    pub(super) storage: &'a mut Storage,
    pub(super) b: FunctionBuilder<'b>,
    /// First address of the code memory, and the one behind its last.
    pub(super) region: (u64, u64),
    /// [`ACCESS`] in this function: looked up once.
    access: MemFlags,
    /// The stack limit, if calls need it.
    pub(super) limit: Option<Value>,
    /// This function, once it calls itself.
    pub(super) itself: Option<FuncRef>,
    /// Where each trap returns, and where any status is returned, once something goes there.
    traps: [Option<Block>; TrapKind::ALL.len() + 1],
    exit: Option<Block>,
    /// Whether control comes to the current place, in a block that is not complete.
    live: bool,
    /// Number of the current stretch: what lies between two labels.
    stretch: u32,
    /// The last integer constant of the current block.
    last_constant: Option<(clif::Type, i64, Value)>,
}

/// Fills `clif` with what `function` does.
pub(super) fn lower(
    function: &Function,
    survey: &Survey,
    region: (u64, u64),
    clif: &mut clif::Function,
    context: &mut FunctionBuilderContext,
    storage: &mut Storage,
    isa: &dyn TargetIsa,
) {
    for register in &mut storage.registers {
        // A second lowering of the same function finds what the first one left.
        match register {
            Register::Value(_) => *register = Register::Once,
            Register::Variable(_) => *register = Register::Often,
            _ => {}
        }
    }
    storage.blocks.fill(None.into());
    storage.known.fill(Known::nothing());
    storage.dirty.clear();
    super::calls::own_signature(&mut clif.signature, function, survey, &mut storage.passed);
    let access = clif.dfg.mem_flags.insert_unchecked(ACCESS);
    let b = FunctionBuilder::new(clif, context);
    let mut lowering = Lowering {
        function,
        survey,
        storage,
        b,
        region,
        access,
        limit: None,
        itself: None,
        traps: [None; TrapKind::ALL.len() + 1],
        exit: None,
        live: true,
        stretch: 1,
        last_constant: None,
    };
    lowering.entry();
    lowering.body();
    lowering.stubs();
    lowering.b.finalize(isa.frontend_config());
}

impl Lowering<'_, '_> {
    /// The first block: where parameters are.
    fn entry(&mut self) {
        let entry = self.b.create_block();
        self.b.append_block_params_for_function_params(entry);
        self.b.switch_to_block(entry);
        self.b.seal_block(entry);
        for k in 0..self.storage.passed.len() {
            let value = self.b.block_params(entry)[k];
            match self.storage.passed[k].1 {
                Passed::Argument(index) => self.write(index, value),
                Passed::Limit => self.limit = Some(value),
                Passed::Filler => {}
            }
        }
        for &(reg, ty) in &self.function.zeroed {
            let zero = self.constant(ty, 0);
            self.write(reg, zero);
        }
    }

    fn body(&mut self) {
        let records = &self.function.records[..];
        let mut i = 0;
        while let Some(&r) = records.get(i) {
            if r.op == Op::Label {
                self.place_label(i);
            } else if self.live {
                let next = records.get(i + 1);
                match r.op {
                    Op::Branch | Op::BranchImm => {
                        let (condition, inverse) = self.condition_or_inverse(r);
                        self.tell();
                        let target = self.block(r.dst);
                        let behind = match next {
                            // What is reached where the branch is not taken needs no block of its own.
                            Some(next) if next.op == Op::Label => {
                                self.live = false;
                                self.block(i as u32 + 1)
                            }
                            Some(next) if next.op == Op::Jump => {
                                self.live = false;
                                self.block(next.dst)
                            }
                            _ => self.b.create_block(),
                        };
                        let (then, otherwise) = if inverse { (behind, target) } else { (target, behind) };
                        self.b.ins().brif(condition, then, &[], otherwise, &[]);
                        self.jumped(i, r.dst);
                        match next {
                            Some(next) if next.op == Op::Jump => {
                                i += 1;
                                self.jumped(i, next.dst);
                            }
                            _ if self.live => self.go_on(behind),
                            _ => {}
                        }
                    }
                    Op::Jump => {
                        self.tell();
                        let target = self.block(r.dst);
                        self.b.ins().jump(target, &[]);
                        self.jumped(i, r.dst);
                        self.live = false;
                    }
                    Op::Switch => {
                        self.switch(r, &records[i + 1..][..r.b as usize]);
                        for _ in 0..r.b {
                            i += 1;
                            self.jumped(i, records[i].dst);
                        }
                    }
                    _ => self.record(r),
                }
            }
            i += 1;
        }
    }

    /// A switch with the jumps behind it.
    fn switch(&mut self, r: Record, jumps: &[Record]) {
        let index = self.read(Type::U64, r.a);
        self.tell();
        let index = self.b.ins().ireduce(types::I32, index);
        let targets: Vec<Block> = jumps.iter().map(|jump| self.block(jump.dst)).collect();
        let calls: Vec<clif::BlockCall> = targets.iter().map(|&block| self.b.func.dfg.block_call(block, &[])).collect();
        if let Some((&last, others)) = calls.split_last() {
            let table = self.b.create_jump_table(JumpTableData::new(last, others));
            self.b.ins().br_table(index, table);
        }
        self.live = false;
    }

    fn record(&mut self, r: Record) {
        let value = match r.op {
            Op::Label | Op::Branch | Op::BranchImm | Op::Jump | Op::Switch => unreachable!("`body` lowers them"),
            Op::Const => self.constant(r.ty, r.constant()),
            Op::Copy => self.read(r.ty, r.a),
            Op::Binary => {
                let (a, b) = (self.read(r.ty, r.a), self.read(r.ty, r.b));
                self.binary(r, a, b)
            }
            Op::BinaryImm => {
                let (a, b) = (self.read(r.ty, r.a), self.constant(r.ty, r.immediate()));
                self.binary(r, a, b)
            }
            Op::Unary => {
                let a = self.read(r.ty, r.a);
                self.unary(r.unary_op(), r.ty, a)
            }
            Op::Convert => {
                let a = self.read(r.source_type(), r.a);
                self.convert(r.source_type(), r.ty, a)
            }
            Op::Bitcast => {
                let a = self.read(r.source_type(), r.a);
                self.bitcast(r.source_type(), r.ty, a)
            }
            Op::Set | Op::SetImm => {
                let truth = self.condition(r);
                if r.condition() == Condition::COMMON_BITS {
                    // Those that are common, not 0 or 1.
                    let zero = self.constant(r.ty, 0);
                    self.b.ins().icmp(IntCC::NotEqual, truth, zero)
                } else {
                    truth
                }
            }
            Op::TrapIf | Op::TrapIfImm => {
                let condition = self.condition(r);
                return self.trap_if(condition, r.dst);
            }
            Op::Trap => {
                let target = self.trap(r.dst);
                self.b.ins().jump(target, &[]);
                self.live = false;
                return;
            }
            Op::TrapCode => {
                let code = self.read(Type::U32, r.a);
                let code = self.b.ins().uextend(types::I64, code);
                let mark = self.b.ins().iconst(types::I64, CODE_STATUS as i64);
                let status = self.b.ins().bor(code, mark);
                let exit = self.exit();
                self.b.ins().jump(exit, &[status.into()]);
                self.live = false;
                return;
            }
            Op::Unreachable => {
                self.b.ins().trap(TrapCode::unwrap_user(1));
                self.live = false;
                return;
            }
            Op::Load | Op::LoadX => {
                let (base, disp) = self.address(r);
                if r.is_volatile() {
                    // Nothing is moved across, and what may fault happens though its value is not used.
                    self.b.ins().sequence_point();
                    let value = self.b.ins().load(clif_type(r.ty), MemFlagsData::new(), base, disp);
                    self.b.ins().sequence_point();
                    value
                } else {
                    let (load, dfg) = self.b.ins().Load(Opcode::Load, clif_type(r.ty), self.access, disp.into(), base);
                    dfg.first_result(load)
                }
            }
            Op::Store | Op::StoreX => {
                let (base, disp) = self.address(r);
                let value = self.read(r.ty, r.dst);
                if r.is_volatile() {
                    self.b.ins().sequence_point();
                    self.b.ins().store(MemFlagsData::new(), value, base, disp);
                    self.b.ins().sequence_point();
                } else {
                    self.store(value, base, disp);
                }
                return;
            }
            Op::StoreImm | Op::StoreXImm => {
                let (base, disp) = self.address(r);
                let value = self.constant(r.ty, crate::ir::immediate(r.ty, r.dst));
                self.store(value, base, disp);
                return;
            }
            Op::Lea | Op::LeaX => {
                let (base, disp) = self.address(r);
                self.b.ins().iadd_imm_s(base, i64::from(disp))
            }
            Op::Call => {
                let Some(value) = self.call(r) else { return };
                value
            }
            Op::Ret => return self.ret(r),
        };
        self.write(r.dst, value);
    }

    /// A store that is not volatile.
    fn store(&mut self, value: Value, base: Value, disp: i32) {
        let ty = self.b.func.dfg.value_type(value);
        self.b.ins().Store(Opcode::Store, ty, self.access, disp.into(), value, base);
    }

    /// The value of a register.
    pub(super) fn read(&mut self, ty: Type, reg: VReg) -> Value {
        match self.storage.registers[reg as usize] {
            Register::Value(value) => value,
            Register::Variable(variable) => {
                let known = &mut self.storage.known[reg as usize];
                if known.stretch != self.stretch {
                    let value = self.b.use_var(variable);
                    *known = Known { stretch: self.stretch, value, dirty: false };
                }
                known.value
            }
            // N2: control does not come here, though there is a label that nothing jumps to.
            Register::Unwritten | Register::Once | Register::Often => self.constant(ty, 0),
        }
    }

    /// `reg = value`
    pub(super) fn write(&mut self, reg: VReg, value: Value) {
        let register = &mut self.storage.registers[reg as usize];
        match *register {
            Register::Variable(_) => {}
            Register::Often => {
                let variable = self.b.declare_var(self.b.func.dfg.value_type(value));
                *register = Register::Variable(variable);
            }
            _ => {
                *register = Register::Value(value);
                return;
            }
        }
        let known = &mut self.storage.known[reg as usize];
        if known.stretch != self.stretch || !known.dirty {
            self.storage.dirty.push(reg);
        }
        *known = Known { stretch: self.stretch, value, dirty: true };
    }

    /// Tells variables what was written since the last time, before control may go to a label (C4).
    fn tell(&mut self) {
        for reg in self.storage.dirty.drain(..) {
            let known = &mut self.storage.known[reg as usize];
            known.dirty = false;
            if let Register::Variable(variable) = self.storage.registers[reg as usize] {
                self.b.def_var(variable, known.value);
            }
        }
    }

    /// The constant with the canonical bits `bits`.
    pub(super) fn constant(&mut self, ty: Type, bits: u64) -> Value {
        match ty {
            Type::F32 => self.b.ins().f32const(f32::from_bits(bits as u32)),
            Type::F64 => self.b.ins().f64const(f64::from_bits(bits)),
            _ => {
                // CLIF wants what lies above a narrow constant to be zero.
                let ty = clif_type(ty);
                let bits = (bits & (u64::MAX >> (64 - ty.bits()))) as i64;
                match self.last_constant {
                    Some((last_ty, last_bits, value)) if (last_ty, last_bits) == (ty, bits) => value,
                    _ => {
                        let value = self.b.ins().iconst(ty, bits);
                        self.last_constant = Some((ty, bits, value));
                        value
                    }
                }
            }
        }
    }

    /// What a record compares: not zero where the condition holds.
    fn condition(&mut self, r: Record) -> Value {
        let (value, inverse) = self.condition_or_inverse(r);
        if !inverse {
            return value;
        }
        let zero = self.constant(r.ty, 0);
        self.b.ins().icmp(IntCC::Equal, value, zero)
    }

    /// What a record compares, and whether the condition holds where that is zero instead of where it is not.
    fn condition_or_inverse(&mut self, r: Record) -> (Value, bool) {
        let a = self.read(r.ty, r.a);
        let b = match r.op {
            Op::SetImm | Op::BranchImm | Op::TrapIfImm => self.constant(r.ty, r.immediate()),
            _ => self.read(r.ty, r.b),
        };
        let condition = r.condition();
        let inverse = condition.is_inverse();
        let Some(comparison) = condition.comparison() else {
            return (self.b.ins().band(a, b), inverse);
        };
        let value = if r.ty.is_float() {
            let code = float_code(comparison);
            self.b.ins().fcmp(if inverse { code.complement() } else { code }, a, b)
        } else {
            let code = int_code(comparison, r.ty.is_signed());
            self.b.ins().icmp(if inverse { code.complement() } else { code }, a, b)
        };
        (value, false)
    }

    /// Base and displacement of an access.
    fn address(&mut self, r: Record) -> (Value, i32) {
        let base = self.read(Type::Ptr, r.a);
        match r.op {
            Op::Load | Op::Store | Op::StoreImm | Op::Lea => (base, r.b as i32),
            _ => {
                let indexed = r.indexed();
                let mut index = self.read(Type::Usize, r.b);
                if indexed.log2() != 0 {
                    let log2 = self.constant(Type::Usize, indexed.log2().into());
                    index = self.b.ins().ishl(index, log2);
                }
                (self.b.ins().iadd(base, index), indexed.disp())
            }
        }
    }

    /// The block of the label with this record.
    fn block(&mut self, label: u32) -> Block {
        match self.storage.blocks[label as usize].expand() {
            Some(block) => block,
            None => {
                let block = self.b.create_block();
                self.storage.blocks[label as usize] = block.into();
                block
            }
        }
    }

    /// Goes on behind the label with the record `i`.
    fn place_label(&mut self, i: usize) {
        // Where nothing comes, Cranelift drops what follows; the survey has counted the jumps in there.
        let last_jump = self.storage.last_jumps[i];
        let block = self.block(i as u32);
        if self.live {
            self.tell();
            self.b.ins().jump(block, &[]);
        }
        // What was written behind the last jump is not seen here.
        self.storage.dirty.clear();
        self.stretch += 1;
        self.last_constant = None;
        self.b.switch_to_block(block);
        self.live = true;
        if last_jump == Storage::NO_JUMP || last_jump < i as u32 {
            self.b.seal_block(block);
        }
    }

    /// The record `i` has jumped to a label: if that was the last jump back there, all ways to it are known.
    fn jumped(&mut self, i: usize, label: u32) {
        if label as usize <= i && self.storage.last_jumps[label as usize] == i as u32 {
            let block = self.block(label);
            self.b.seal_block(block);
        }
    }

    /// Goes on in a block to which all ways are known.
    pub(super) fn go_on(&mut self, block: Block) {
        self.last_constant = None;
        self.b.switch_to_block(block);
        self.b.seal_block(block);
        self.live = true;
    }

    /// Where the trap of this status returns.
    fn trap(&mut self, kind: u32) -> Block {
        *self.traps[kind as usize].get_or_insert_with(|| {
            let block = self.b.create_block();
            self.b.set_cold_block(block);
            block
        })
    }

    /// Where the status that is passed is returned.
    pub(super) fn exit(&mut self) -> Block {
        *self.exit.get_or_insert_with(|| {
            let block = self.b.create_block();
            self.b.append_block_param(block, types::I64);
            self.b.set_cold_block(block);
            block
        })
    }

    /// Traps if `condition` is not zero.
    pub(super) fn trap_if(&mut self, condition: Value, kind: u32) {
        let behind = self.b.create_block();
        self.trap_or(condition, kind, behind);
    }

    /// Traps if `condition` is not zero, else goes on in the new block `behind`.
    pub(super) fn trap_or(&mut self, condition: Value, kind: u32, behind: Block) {
        let trap = self.trap(kind);
        self.b.ins().brif(condition, trap, &[], behind, &[]);
        self.go_on(behind);
    }

    /// Ends the call with `status` unless it is 0.
    pub(super) fn hand_on(&mut self, status: Value) {
        let (exit, behind) = (self.exit(), self.b.create_block());
        self.b.ins().brif(status, exit, &[BlockArg::Value(status)], behind, &[]);
        self.go_on(behind);
    }

    fn ret(&mut self, r: Record) {
        let value = (r.ty != Type::Unit).then(|| self.read(r.ty, r.a));
        let status = self.survey.traps.then(|| self.b.ins().iconst(types::I64, 0));
        self.return_with(value, status);
        self.live = false;
    }

    /// Returns; a value that is missing beside a status is zero.
    fn return_with(&mut self, value: Option<Value>, status: Option<Value>) {
        let Some(status) = status else {
            self.b.ins().return_(value.as_slice());
            return;
        };
        let ret = self.function.ret;
        let value = value.unwrap_or_else(|| self.constant(ret, 0));
        self.b.ins().return_(&[value, status]);
    }

    /// What traps go to.
    fn stubs(&mut self) {
        for kind in 0..self.traps.len() {
            if let Some(block) = self.traps[kind] {
                self.go_on(block);
                let status = self.b.ins().iconst(types::I64, kind as i64);
                self.return_with(None, Some(status));
            }
        }
        if let Some(block) = self.exit {
            self.go_on(block);
            let status = self.b.block_params(block)[0];
            self.return_with(None, Some(status));
        }
    }
}

/// An access as dynamic code makes it: to memory that is there, aligned or not.
pub(super) const ACCESS: MemFlagsData = MemFlagsData::new().with_notrap();

fn int_code(comparison: Comparison, signed: bool) -> IntCC {
    match (comparison, signed) {
        (Comparison::Eq, _) => IntCC::Equal,
        (Comparison::Ne, _) => IntCC::NotEqual,
        (Comparison::Lt, true) => IntCC::SignedLessThan,
        (Comparison::Le, true) => IntCC::SignedLessThanOrEqual,
        (Comparison::Gt, true) => IntCC::SignedGreaterThan,
        (Comparison::Ge, true) => IntCC::SignedGreaterThanOrEqual,
        (Comparison::Lt, false) => IntCC::UnsignedLessThan,
        (Comparison::Le, false) => IntCC::UnsignedLessThanOrEqual,
        (Comparison::Gt, false) => IntCC::UnsignedGreaterThan,
        (Comparison::Ge, false) => IntCC::UnsignedGreaterThanOrEqual,
    }
}

fn float_code(comparison: Comparison) -> FloatCC {
    match comparison {
        Comparison::Eq => FloatCC::Equal,
        Comparison::Ne => FloatCC::NotEqual,
        Comparison::Lt => FloatCC::LessThan,
        Comparison::Le => FloatCC::LessThanOrEqual,
        Comparison::Gt => FloatCC::GreaterThan,
        Comparison::Ge => FloatCC::GreaterThanOrEqual,
    }
}
