//! The checker finds what is wrong: right allocations, each broken in one way.

use regalloc_linearscan::checker::{Finding, check};
use regalloc_linearscan::{
    Algorithm, Allocator, Constraint, FunctionBuilder, Inst, Loc, Machine, Move, Operand, Options, Output, PReg,
    PRegSet, RegClass, VReg,
};

const CLASS: RegClass = RegClass::Int;

fn reg(number: u8) -> PReg {
    PReg::new(number, CLASS)
}

fn r(number: u8) -> Loc {
    Loc::reg(reg(number))
}

/// Registers 0 to 3; 9 is scratch.
fn machine() -> Machine {
    let preferred = (0..4).map(reg).collect();
    Machine { preferred, scratch: [Some(reg(9)), None, None], ..Machine::default() }
}

fn output(b: &FunctionBuilder, locs: &[Loc], moves: &[(u32, Loc, Loc)]) -> Output {
    assert_eq!(locs.len(), b.function().operands.items.len());
    let moves = moves.iter().map(|&(before, from, to)| Move { before: Inst(before), from, to, class: CLASS }).collect();
    Output { locs: locs.to_vec(), moves, num_slots: 4, ..Output::default() }
}

/// `x = …; y = …; use x; use y`.
fn two_values() -> (FunctionBuilder, VReg, VReg) {
    let mut b = FunctionBuilder::new();
    let (x, y) = (b.vreg(CLASS), b.vreg(CLASS));
    b.block(&[]);
    b.inst(&[Operand::late_def(x, Constraint::Reg)]);
    b.inst(&[Operand::late_def(y, Constraint::Any)]);
    b.inst(&[Operand::early_use(x, Constraint::Reg)]);
    b.inst(&[Operand::early_use(y, Constraint::Any)]);
    (b, x, y)
}

fn finding(b: &FunctionBuilder, locs: &[Loc], moves: &[(u32, Loc, Loc)]) -> Option<Finding> {
    check(&b.function(), &machine(), &output(b, locs, moves)).err()
}

#[test]
fn right_ones_pass() {
    let (b, ..) = two_values();
    assert_eq!(finding(&b, &[r(0), r(1), r(0), r(1)], &[]), None);
    assert_eq!(finding(&b, &[r(0), Loc::slot(0), r(0), Loc::slot(0)], &[]), None);
    assert_eq!(finding(&b, &[r(0), r(1), r(2), r(1)], &[(1, r(0), r(2))]), None);
    let spilled = [(1, r(0), Loc::slot(0)), (2, Loc::slot(0), r(3))];
    assert_eq!(finding(&b, &[r(0), r(0), r(3), r(0)], &spilled), None);
}

#[test]
fn wrong_values() {
    let (b, x, y) = two_values();
    let wrong = |operand, vreg, loc| Some(Finding::WrongValue { inst: Inst(operand), operand: 0, vreg, loc });
    // Overwritten; never written; read from the other's place.
    assert_eq!(finding(&b, &[r(0), r(0), r(0), r(0)], &[]), wrong(2, x, r(0)));
    assert_eq!(finding(&b, &[r(0), r(1), r(2), r(1)], &[]), wrong(2, x, r(2)));
    assert_eq!(finding(&b, &[r(0), r(1), r(0), r(0)], &[]), wrong(3, y, r(0)));
    // A move too late; two moves in the wrong order; a reload from another slot.
    assert_eq!(finding(&b, &[r(0), r(1), r(2), r(1)], &[(3, r(0), r(2))]), wrong(2, x, r(2)));
    let swapped = [(2, Loc::slot(0), r(3)), (2, r(0), Loc::slot(0))];
    assert_eq!(finding(&b, &[r(0), r(1), r(3), r(1)], &swapped), wrong(2, x, r(3)));
    let other_slot = [(1, r(0), Loc::slot(0)), (2, Loc::slot(1), r(3))];
    assert_eq!(finding(&b, &[r(0), r(1), r(3), r(1)], &other_slot), wrong(2, x, r(3)));
    // The scratch register does not outlive an instruction.
    let parked = [(1, r(0), r(9)), (2, r(9), r(3))];
    assert_eq!(finding(&b, &[r(0), r(0), r(3), r(0)], &parked), wrong(2, x, r(3)));
}

#[test]
fn wrong_moves() {
    let (b, ..) = two_values();
    let locs = [r(0), r(1), r(0), r(1)];
    let bad = |to| Some(Finding::BadMove { before: Inst(2), to });
    assert_eq!(finding(&b, &locs, &[(2, Loc::slot(0), Loc::slot(1))]), Some(Finding::MemoryMove { before: Inst(2) }));
    assert_eq!(finding(&b, &locs, &[(2, r(0), Loc::slot(4))]), bad(Loc::slot(4)));
    assert_eq!(finding(&b, &locs, &[(2, r(0), r(20))]), bad(r(20)));
    assert_eq!(finding(&b, &locs, &[(2, r(0), Loc::NONE)]), bad(Loc::NONE));
    assert_eq!(finding(&b, &locs, &[(2, Loc::remat(VReg(0)), r(3))]), bad(r(3)));
    let float = Loc::reg(PReg::new(0, RegClass::Float));
    assert_eq!(finding(&b, &locs, &[(2, r(0), float)]), bad(float));
    let unordered = [(3, r(0), r(3)), (2, r(0), r(2))];
    assert_eq!(finding(&b, &locs, &unordered), Some(Finding::OutOfOrder { index: 1 }));
    assert_eq!(finding(&b, &locs, &[(4, r(0), r(3))]), Some(Finding::OutOfOrder { index: 0 }));
    let mut short = output(&b, &locs, &[]);
    short.locs.pop();
    assert_eq!(check(&b.function(), &machine(), &short), Err(Finding::WrongLength));
}

/// One instruction with `operands`, after defs of vregs 0 and 1 in r0 and r1, and before uses of both.
fn one_inst(operands: &[Operand], clobbers: PRegSet) -> FunctionBuilder {
    let mut b = FunctionBuilder::new();
    let [x, y, _] = [(); 3].map(|()| b.vreg(CLASS));
    b.block(&[]);
    b.inst(&[Operand::late_def(x, Constraint::Any)]);
    b.inst(&[Operand::late_def(y, Constraint::Any)]);
    b.inst_with_clobbers(operands, clobbers);
    b
}

#[test]
fn constraints_and_conflicts() {
    let (x, y, z) = (VReg(0), VReg(1), VReg(2));
    let early = |v, c| Operand::early_use(v, c);
    let none = PRegSet::EMPTY;
    let run = |operands: &[Operand], clobbers, locs: &[Loc]| {
        let b = one_inst(operands, clobbers);
        let mut all = vec![r(0), r(1)];
        all.extend(locs);
        finding(&b, &all, &[])
    };
    let constraint = |operand, loc| Some(Finding::Constraint { inst: Inst(2), operand, loc });
    let conflict = |operand, loc| Some(Finding::Conflict { inst: Inst(2), operand, loc });
    // Each constraint.
    assert_eq!(run(&[early(x, Constraint::Reg)], none, &[Loc::slot(0)]), constraint(0, Loc::slot(0)));
    assert_eq!(run(&[early(x, Constraint::Stack)], none, &[r(0)]), constraint(0, r(0)));
    assert_eq!(run(&[early(x, Constraint::Fixed(reg(3)))], none, &[r(0)]), constraint(0, r(0)));
    assert_eq!(run(&[early(y, Constraint::Limit(1))], none, &[r(1)]), constraint(0, r(1)));
    assert_eq!(run(&[early(x, Constraint::Any)], none, &[Loc::NONE]), constraint(0, Loc::NONE));
    assert_eq!(run(&[early(x, Constraint::Any)], none, &[Loc::slot(9)]), constraint(0, Loc::slot(9)));
    assert_eq!(run(&[early(x, Constraint::Any)], none, &[r(9)]), constraint(0, r(9)));
    assert_eq!(run(&[early(x, Constraint::Any)], none, &[Loc::remat(x)]), constraint(0, Loc::remat(x)));
    let reuse = [early(x, Constraint::Reg), Operand::late_def(z, Constraint::Reuse(0))];
    assert_eq!(run(&reuse, none, &[r(0), r(0)]), None);
    assert_eq!(run(&reuse, none, &[r(0), r(2)]), constraint(1, r(2)));
    // A late def may overwrite an early use, an early def nothing, and a late use is not overwritten.
    let late_def = Operand::late_def(z, Constraint::Reg);
    let early_def = Operand::early_def(z, Constraint::Reg);
    assert_eq!(run(&[early(x, Constraint::Reg), late_def], none, &[r(0), r(0)]), None);
    assert_eq!(run(&[early(x, Constraint::Reg), early_def], none, &[r(0), r(0)]), conflict(1, r(0)));
    let late_use = Operand::late_use(x, Constraint::Reg);
    assert_eq!(run(&[late_use, late_def], none, &[r(0), r(0)]), conflict(1, r(0)));
    // Clobbers.
    let r0 = PRegSet::EMPTY.with(reg(0));
    assert_eq!(run(&[early(x, Constraint::Reg)], r0, &[r(0)]), None);
    assert_eq!(run(&[late_use], r0, &[r(0)]), conflict(0, r(0)));
    assert_eq!(run(&[early_def], r0, &[r(0)]), conflict(0, r(0)));
    assert_eq!(run(&[late_def], r0, &[r(0)]), conflict(0, r(0)));
    assert_eq!(run(&[Operand::late_def(z, Constraint::Fixed(reg(0)))], r0, &[r(0)]), None);
}

#[test]
fn clobbered_values_and_joins() {
    // x is defined, a call destroys r0, x is used in a loop that redefines y.
    let mut b = FunctionBuilder::new();
    let (x, y) = (b.vreg(CLASS), b.vreg(CLASS));
    let entry = b.block(&[]);
    b.inst(&[Operand::late_def(x, Constraint::Any)]);
    b.inst_with_clobbers(&[], PRegSet::EMPTY.with(reg(0)));
    b.inst(&[]);
    let body = b.block(&[y]);
    b.inst(&[Operand::early_use(x, Constraint::Any), Operand::early_use(y, Constraint::Any)]);
    b.inst(&[]);
    b.edge(entry, body, &[x]);
    b.edge(body, body, &[x]);
    let wrong = |operand, vreg, loc| Some(Finding::WrongValue { inst: Inst(3), operand, vreg, loc });
    // y becomes x on both edges, so it may share x's register; not after it was destroyed.
    assert_eq!(finding(&b, &[r(1), r(1), r(1)], &[]), None);
    assert_eq!(finding(&b, &[r(0), r(0), r(0)], &[]), wrong(0, x, r(0)));
    // The value of y must be there on both edges.
    assert_eq!(finding(&b, &[r(1), r(1), r(2)], &[(2, r(1), r(2))]), None);
    assert_eq!(finding(&b, &[r(1), r(1), r(2)], &[(4, r(1), r(2))]), wrong(1, y, r(2)));
}

/// Every single change to a right allocation is found, or is one that another right allocation has.
#[test]
fn mutations_of_allocations() {
    let mut b = FunctionBuilder::new();
    let values: Vec<VReg> = (0..6).map(|_| b.vreg(CLASS)).collect();
    b.block(&[]);
    for &v in &values {
        b.inst(&[Operand::late_def(v, Constraint::Reg)]);
    }
    for &v in &values {
        b.inst(&[Operand::early_use(v, Constraint::Reg)]);
    }
    let f = b.function();
    for algorithm in Algorithm::ALL {
        let mut allocator = Allocator::new();
        let options = Options { algorithm, ..Options::default() };
        let right = allocator.run(&f, &machine(), &options).expect("allocates").clone();
        assert!(right.stats.stores > 0 && right.stats.loads > 0, "six values, four registers");
        // Without any one of its moves it is wrong (where temporaries are made, some save what is saved already).
        for n in (0..right.moves.len()).filter(|_| algorithm == Algorithm::LinearScan) {
            let mut wrong = right.clone();
            wrong.moves.remove(n);
            assert!(check(&f, &machine(), &wrong).is_err(), "{algorithm:?} without move {n}");
        }
        // With any operand of a use elsewhere it is wrong.
        for k in values.len()..right.locs.len() {
            for number in (0..4).filter(|&number| r(number) != right.locs[k]) {
                let mut wrong = right.clone();
                wrong.locs[k] = r(number);
                assert!(check(&f, &machine(), &wrong).is_err(), "{algorithm:?} with operand {k} in {number}");
            }
        }
        let mut wrong = right.clone();
        wrong.num_slots -= 1;
        assert!(check(&f, &machine(), &wrong).is_err());
    }
}
