//! Wrong input: each gives an error that names the place, and leaves the allocator usable.

use regalloc_linearscan::{
    Allocator, Block, Constraint, Error, Function, FunctionBuilder, Inst, Lists, Machine, Operand, Options, PReg,
    PRegSet, RegClass, VReg,
};

const INT: RegClass = RegClass::Int;

fn run(f: &Function) -> Result<(), Error> {
    let machine = Machine { preferred: (0..2).map(|n| PReg::new(n, INT)).collect(), ..Machine::default() };
    let mut allocator = Allocator::new();
    let result = allocator.run(f, &machine, &Options::default()).map(|_| ());
    // The allocator is as good as new.
    let mut b = FunctionBuilder::new();
    b.block(&[]);
    b.inst(&[]);
    assert_eq!(allocator.run(&b.function(), &machine, &Options::default()).map(|_| ()), Ok(()));
    result
}

/// A block with defs of v0, v1, v2, and an instruction of these operands.
fn with_operands(operands: &[Operand]) -> Result<(), Error> {
    with_clobbers(operands, PRegSet::EMPTY)
}

fn with_clobbers(operands: &[Operand], clobbers: PRegSet) -> Result<(), Error> {
    let mut b = FunctionBuilder::new();
    let vregs = [(); 3].map(|()| b.vreg(INT));
    b.vreg(INT);
    b.vreg(RegClass::Float);
    b.block(&[]);
    for v in vregs {
        b.inst(&[Operand::late_def(v, Constraint::Any)]);
    }
    b.inst_with_clobbers(operands, clobbers);
    run(&b.function())
}

const V0: VReg = VReg(0);
const V1: VReg = VReg(1);
const V2: VReg = VReg(2);
/// Defined nowhere.
const V3: VReg = VReg(3);
/// A float.
const V4: VReg = VReg(4);

#[test]
fn values() {
    assert_eq!(with_operands(&[Operand::early_use(V3, Constraint::Any)]), Err(Error::UndefinedUse(V3)));
    let far = VReg(99);
    assert_eq!(with_operands(&[Operand::early_use(far, Constraint::Any)]), Err(Error::NoSuchVReg(far, Inst(3))));
    assert_eq!(with_operands(&[Operand::late_def(far, Constraint::Any)]), Err(Error::NoSuchVReg(far, Inst(3))));
}

#[test]
fn operands() {
    let malformed = |k| Err(Error::MalformedOperand(Inst(3), k));
    let use_ = |v| Operand::early_use(v, Constraint::Reg);
    // Reuse of what is not there, is a def, is of another class, is late, is reused twice; on a use.
    let reuse = |v, input| Operand::late_def(v, Constraint::Reuse(input));
    assert_eq!(with_operands(&[use_(V0), reuse(V3, 0)]), Ok(()));
    assert_eq!(with_operands(&[use_(V0), reuse(V3, 7)]), malformed(1));
    assert_eq!(with_operands(&[use_(V0), reuse(V3, 1)]), malformed(1));
    assert_eq!(with_operands(&[use_(V0), reuse(V4, 0)]), malformed(1));
    assert_eq!(with_operands(&[Operand::late_use(V0, Constraint::Reg), reuse(V3, 0)]), malformed(1));
    assert_eq!(with_operands(&[use_(V0), reuse(V1, 0), reuse(V2, 0)]), malformed(2));
    assert_eq!(with_operands(&[Operand::early_use(V0, Constraint::Reuse(0))]), malformed(0));
    // A register of another class.
    let float = PReg::new(0, RegClass::Float);
    assert_eq!(with_operands(&[Operand::early_use(V0, Constraint::Fixed(float))]), malformed(0));
    // Two values of one vreg at once.
    let def = |v| Operand::late_def(v, Constraint::Reg);
    assert_eq!(with_operands(&[def(V3), def(V3)]), malformed(1));
    assert_eq!(with_operands(&[use_(V0), Operand::early_def(V0, Constraint::Reg)]), malformed(0));
    assert_eq!(with_operands(&[Operand::late_use(V0, Constraint::Any), def(V0)]), malformed(0));
    assert_eq!(with_operands(&[use_(V0), def(V0)]), Ok(()));
    // No vreg, no register.
    assert_eq!(with_operands(&[use_(VReg::NONE)]), malformed(0));
    assert_eq!(with_operands(&[def(VReg::NONE)]), Err(Error::NoSuchVReg(VReg::NONE, Inst(3))));
}

#[test]
fn registers() {
    let r0 = PReg::new(0, INT);
    let fixed = |v| Operand::early_use(v, Constraint::Fixed(r0));
    let conflict = Err(Error::FixedConflict(Inst(3), r0));
    assert_eq!(with_operands(&[fixed(V0), fixed(V0)]), Ok(()));
    assert_eq!(with_operands(&[fixed(V0), fixed(V1)]), conflict);
    assert_eq!(with_operands(&[fixed(V0), Operand::late_def(V3, Constraint::Fixed(r0))]), Ok(()));
    assert_eq!(with_operands(&[fixed(V0), Operand::early_def(V3, Constraint::Fixed(r0))]), conflict);
    let clobbers = PRegSet::EMPTY.with(r0);
    assert_eq!(with_clobbers(&[fixed(V0)], clobbers), Ok(()));
    assert_eq!(with_clobbers(&[Operand::late_use(V0, Constraint::Fixed(r0))], clobbers), conflict);
    // Two registers.
    let use_ = |v| Operand::early_use(v, Constraint::Reg);
    assert_eq!(with_operands(&[use_(V0), use_(V1)]), Ok(()));
    let three = [use_(V0), use_(V1), use_(V2)];
    assert_eq!(with_operands(&three), Err(Error::TooFewRegisters(Inst(3), INT)));
    let float = [Operand::late_def(V4, Constraint::Reg)];
    assert_eq!(with_operands(&float), Err(Error::TooFewRegisters(Inst(3), RegClass::Float)));
}

#[test]
fn shape() {
    let malformed = |b| Err(Error::MalformedBlock(Block(b)));
    assert_eq!(run(&Function::default()), malformed(0));
    assert_eq!(run(&Function { block_insts: &[1, 2], ..Function::default() }), malformed(0));
    assert_eq!(run(&Function { block_insts: &[0, 1, 1], ..Function::default() }), malformed(1));
    let empty = Lists { starts: &[0, 0, 0], items: &[] };
    let no_inst = Lists { starts: &[0, 0], items: &[] };
    let succs = Lists { starts: &[0, 1], items: &[Block(5)] };
    let args = Lists { starts: &[0, 0], items: &[] };
    assert_eq!(
        run(&Function { block_insts: &[0, 1], operands: no_inst, succs, args, ..Function::default() }),
        malformed(0)
    );
    let short = Function { block_insts: &[0, 1], operands: empty, ..Function::default() };
    assert_eq!(run(&short), malformed(0));

    let mut b = FunctionBuilder::new();
    let (v, p) = (b.vreg(INT), b.vreg(INT));
    let float = b.vreg(RegClass::Float);
    let entry = b.block(&[]);
    b.inst(&[Operand::late_def(v, Constraint::Any), Operand::late_def(float, Constraint::Stack)]);
    let exit = b.block(&[p]);
    b.inst(&[]);
    let with_args = |args: &[VReg]| {
        let mut b = b.clone();
        b.edge(entry, exit, args);
        run(&b.function())
    };
    assert_eq!(with_args(&[v]), Ok(()));
    assert_eq!(with_args(&[]), Err(Error::MalformedArgs(0)));
    assert_eq!(with_args(&[float]), Err(Error::MalformedArgs(0)));
    assert_eq!(with_args(&[VReg(77)]), Err(Error::MalformedArgs(0)));
}
