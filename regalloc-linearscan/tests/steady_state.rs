//! Nothing is allocated from the heap when a context is used again for a function no larger than before.
#![allow(unsafe_code, reason = "a global allocator that counts")]

use regalloc_linearscan::{
    Allocator, Constraint, FunctionBuilder, Machine, Operand, Options, PReg, PRegSet, RegClass, VReg,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: all work is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn contexts_are_reused() {
    let int = RegClass::Int;
    let mut b = FunctionBuilder::new();
    let values: Vec<VReg> = (0..12).map(|_| b.vreg(int)).collect();
    let entry = b.block(&[]);
    for &v in &values {
        b.inst(&[Operand::late_def(v, Constraint::Reg)]);
    }
    b.inst(&[]);
    let body = b.block(&[]);
    for pair in values.windows(2) {
        b.inst(&[Operand::early_use(pair[0], Constraint::Reg), Operand::late_def(pair[1], Constraint::Reuse(0))]);
    }
    b.inst_with_clobbers(&[], (0..4).map(|n| PReg::new(n, int)).collect::<PRegSet>());
    for &v in &values {
        b.inst(&[Operand::early_use(v, Constraint::Reg)]);
    }
    b.inst(&[]);
    b.edge(entry, body, &[]);
    b.edge(body, body, &[]);
    let machine = Machine { preferred: (0..8).map(|n| PReg::new(n, int)).collect(), ..Machine::default() };
    let mut allocator = Allocator::new();
    let f = b.function();
    // The checker allocates.
    let options = Options { check: false, ..Options::default() };
    let mut run = || allocator.run(&f, &machine, &options).map(|output| output.stats);
    let first = run();
    assert!(first.is_ok_and(|stats| stats.stores > 0), "{first:?}");
    let before = ALLOCATIONS.with(Cell::get);
    let second = run();
    let after = ALLOCATIONS.with(Cell::get);
    assert_eq!(first, second);
    assert_eq!(after - before, 0);
}
