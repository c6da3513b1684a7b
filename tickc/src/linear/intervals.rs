//! The interval of each virtual register: when it needs a home, which registers that may be, which one it would like.

use super::allocate::Registers;
use super::flow::Flow;
use crate::ir::shape::{Barrier, Life, Shape, position};
use crate::ir::{Function, Op, Record, VReg};

/// No virtual register.
pub(super) const NOBODY: VReg = VReg::MAX;

/// The interval of a virtual register.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) reg: VReg,
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) allowed: u64,
    /// The register that it should have if possible; anything from 64 on for none.
    pub(super) wish: u8,
    /// An operand that dies where this value is born, whose register is as good; or [`NOBODY`].
    pub(super) heir_of: VReg,
}

/// What is known of the function.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) f: &'a Function,
    pub(super) records: &'a [Record],
    pub(super) shape: &'a Shape,
    pub(super) flow: &'a Flow,
    pub(super) registers: &'a Registers,
    /// The register in which each parameter arrives, `None` for the stack.
    pub(super) arrivals: &'a [Option<u8>],
}

/// Writes down which registers values should have so that they are where they are returned: they, and what they are computed
/// from.
#[inline]
pub(super) fn wish(f: &Function, records: &[Record], shape: &mut Shape, registers: &Registers) {
    let is_float = f.ret.is_float();
    let wish = registers.result(is_float);
    for i in 0..shape.returned.len() {
        let mut reg = shape.returned[i];
        while let Some(life) = shape.lives.get_mut(reg as usize) {
            if life.wish().is_some() {
                break;
            }
            life.set_wish(wish);
            let at = life.start();
            let Some(&Record { a, .. }) = records.get(at as usize).filter(|r| inherits(r, reg)) else { break };
            let from = shape.lives[a as usize];
            if !from.ends_at(at) || from.is_float() != is_float {
                break;
            }
            reg = a;
        }
    }
}

/// Whoever is shown all intervals.
pub(super) trait Visitor {
    /// An interval; whether to go on.
    fn visit(&mut self, wanted: Wanted) -> bool;
    /// Whether a register is none that needs a home, or has been visited before: it stands for folded loads, or is zero on entry.
    fn is_done(&self, reg: VReg) -> bool;
}

impl Known<'_> {
    /// Goes through all registers that need a home, in order of their intervals' starts (unless control may enter loops anywhere),
    /// until `each` says no. Whether it never did.
    pub(super) fn visit(self, each: impl FnMut(Wanted) -> bool) -> bool {
        struct Each<'a, F>(Known<'a>, F);
        impl<F: FnMut(Wanted) -> bool> Visitor for Each<'_, F> {
            fn visit(&mut self, wanted: Wanted) -> bool {
                self.1(wanted)
            }
            fn is_done(&self, reg: VReg) -> bool {
                is_exception(self.0.f, self.0.shape, reg)
            }
        }
        self.show(&mut Each(self, each))
    }

    /// The same for a visitor. It is part of the loop here, which runs for every value.
    #[inline(always)]
    pub(super) fn show(self, visitor: &mut impl Visitor) -> bool {
        let mut barriers = Barriers::default();
        self.show_entry(&mut barriers, visitor) && self.show_rest(&mut barriers, visitor)
    }

    /// Those that hold something on entry: parameters, and what starts at zero.
    #[inline(never)]
    fn show_entry(self, barriers: &mut Barriers, visitor: &mut dyn Visitor) -> bool {
        let Known { f, shape, flow, registers, .. } = self;
        let taken = self.arrivals();
        for reg in 0..f.params.len() {
            let life = shape.lives[reg];
            if life.end() != 0 {
                let (start, end) = flow.extent(life, true);
                let own = self.arrivals[reg].map_or(0, |arrival| 1 << arrival);
                // Nobody gets the register in which another one arrives, so that they can be moved in any order.
                let allowed = barriers.allowed(&shape.barriers, start, end, registers, life) & !(taken & !own);
                let wish = self.arrivals[reg].unwrap_or(u8::MAX);
                if !visitor.visit(Wanted { reg: reg as VReg, start, end, allowed, wish, heir_of: NOBODY }) {
                    return false;
                }
            }
        }
        for &(reg, _) in &f.zeroed {
            let life = shape.lives[reg as usize];
            if life.end() != 0 {
                let (start, end) = flow.extent(life, true);
                let allowed = barriers.allowed(&shape.barriers, start, end, registers, life) & !taken;
                if !visitor.visit(Wanted { reg, start, end, allowed, wish: u8::MAX, heir_of: NOBODY }) {
                    return false;
                }
            }
        }
        true
    }

    /// The others.
    #[inline(always)]
    fn show_rest(self, barriers: &mut Barriers, visitor: &mut impl Visitor) -> bool {
        let Known { f, records, shape, flow, registers, .. } = self;
        let (lives, all_barriers) = (&shape.lives[..], &shape.barriers[..]);
        let (is_straight, has_exceptions) = (flow.is_straight(), shape.has_exceptions());
        for (reg, &life) in lives.iter().enumerate().skip(f.params.len()) {
            let reg = reg as VReg;
            if life.end() == 0 || has_exceptions && visitor.is_done(reg) {
                continue;
            }
            let (start, end) =
                if is_straight { (position(life.start()), life.end()) } else { flow.extent(life, false) };
            let allowed = barriers.allowed(all_barriers, start, end, registers, life);
            let (wish, heir_of) = match (life.wish(), records.get(life.start() as usize)) {
                (None, Some(record)) => (u8::MAX, inherited(lives, record, life.start(), reg)),
                (wish, _) => (wish.unwrap_or(u8::MAX), NOBODY),
            };
            if !visitor.visit(Wanted { reg, start, end, allowed, wish, heir_of }) {
                return false;
            }
        }
        true
    }

    /// Takes whatever is alive anywhere in a loop to be alive in all of the outermost loop around it.
    pub(super) fn coarsen(self, all: &mut [Wanted]) {
        for wanted in &mut *all {
            (wanted.start, wanted.end) = self.flow.coarse(wanted.start, wanted.end);
        }
        all.sort_by_key(|wanted| wanted.start);
        let mut barriers = Barriers::default();
        for wanted in all {
            let life = self.shape.lives[wanted.reg as usize];
            wanted.allowed &= barriers.allowed(&self.shape.barriers, wanted.start, wanted.end, self.registers, life);
        }
    }

    /// The registers in which parameters arrive that anybody reads.
    #[inline]
    fn arrivals(self) -> u64 {
        let is_read = |&(reg, _): &(usize, &Option<u8>)| self.shape.lives[reg].end() != 0;
        let arrivals = self.arrivals.iter().enumerate().filter(is_read);
        arrivals.fold(0, |all, (_, arrival)| all | arrival.map_or(0, |arrival| 1 << arrival))
    }
}

/// Whether a register is none that needs a home, or has been visited before: it stands for folded loads, or is zero on entry.
#[cold]
fn is_exception(f: &Function, shape: &Shape, reg: VReg) -> bool {
    shape.forwards.contains(&reg) || f.zeroed.iter().any(|&(zeroed, _)| zeroed == reg)
}

/// Whether the result of a record may well have the register of its first operand.
#[inline(always)]
fn inherits(record: &Record, reg: VReg) -> bool {
    matches!(record.op, Op::Copy | Op::Binary | Op::BinaryImm | Op::Unary | Op::Convert) && record.dst == reg
}

/// The operand that dies where a value is born.
#[inline(always)]
fn inherited(lives: &[Life], record: &Record, at: u32, reg: VReg) -> VReg {
    let ends = |reg: VReg| lives.get(reg as usize).is_some_and(|life| life.ends_at(at));
    if !inherits(record, reg) {
        NOBODY
    } else if ends(record.a) {
        record.a
    } else if record.op == Op::Binary && ends(record.b) {
        record.b
    } else {
        NOBODY
    }
}

/// Walks along the barriers as the starts of intervals ascend.
#[derive(Default)]
struct Barriers {
    next: usize,
    next_call: usize,
}

impl Barriers {
    /// The registers that an interval may have: all of its class but those that some record in its midst wants.
    #[inline(always)]
    fn allowed(&mut self, all: &[Barrier], start: u32, end: u32, registers: &Registers, life: Life) -> u64 {
        let class = registers.class(life.is_float());
        if self.next == all.len() {
            return class;
        }
        self.allowed_across(all, start, end, registers, class)
    }

    #[inline(never)]
    fn allowed_across(&mut self, all: &[Barrier], start: u32, end: u32, registers: &Registers, class: u64) -> u64 {
        let crosses = |at: usize| all.get(at).is_some_and(|barrier| position(barrier.index) + 1 < end);
        while all.get(self.next).is_some_and(|barrier| position(barrier.index) <= start) {
            self.next += 1;
        }
        self.next_call = self.next_call.max(self.next);
        while all.get(self.next_call).is_some_and(|barrier| !barrier.call) {
            self.next_call += 1;
        }
        if crosses(self.next_call) {
            class & registers.preserved
        } else if crosses(self.next) {
            class & !registers.spare
        } else {
            class
        }
    }
}
