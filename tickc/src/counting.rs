//! A machine that only counts: what a new machine must implement, stubbed (docs/PORTING.md).
//!
//! It also keeps the books that every machine relies on: a temporary is consumed exactly once (I1), and nothing is emitted while
//! a condition waits, but what consumes it (I2).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::emit::Emitter;
use crate::error::Error;
use crate::jit;
use crate::machine::{Binary, Compare, Finished, JumpList, Machine, Operand, Place, Prologue, Target, UnaryOp, kind};
use crate::trap::TrapKind;
use crate::types::Type;

/// What was called, by the name of the method, and how often.
type Counts = BTreeMap<&'static str, u32>;

/// The mark of a temporary. The other one keeps operands from being taken for home registers.
const TEMPORARY: u64 = 1 << 62;
const MARK: u64 = 1 << 63;

#[derive(Default)]
struct Books {
    counts: Counts,
    /// Temporaries and conditions that have not been consumed.
    pending: BTreeSet<u64>,
    /// The condition that waits.
    condition: Option<u64>,
}

struct Counting {
    books: Rc<RefCell<Books>>,
    operands: u64,
    lists: u32,
    places: u32,
}

impl Counting {
    /// An operation that consumes these.
    fn count(&mut self, name: &'static str, consumed: &[Operand]) {
        let mut books = self.books.borrow_mut();
        *books.counts.entry(name).or_default() += 1;
        for operand in consumed {
            if operand.head & TEMPORARY != 0 {
                assert!(books.pending.remove(&operand.body), "I1: {name} consumes {operand:?} again");
            }
            if books.condition == Some(operand.body) && operand.kind() == kind::COND {
                books.condition = None;
            }
        }
        assert_eq!(books.condition, None, "I2: {name} while a condition waits");
    }

    fn operand(&mut self, kind: u8, mark: u64) -> Operand {
        self.operands += 1;
        if mark == TEMPORARY {
            self.books.borrow_mut().pending.insert(self.operands);
        }
        Operand { head: u64::from(kind) | MARK | mark, body: self.operands }
    }

    fn home(&mut self, name: &'static str, consumed: &[Operand]) -> Operand {
        self.count(name, consumed);
        self.operand(kind::REG, 0)
    }

    fn temporary(&mut self, name: &'static str, consumed: &[Operand]) -> Operand {
        self.count(name, consumed);
        self.operand(kind::REG, TEMPORARY)
    }

    /// A memory operand, which holds what it is made of.
    fn memory(&mut self, name: &'static str, consumed: &[Operand]) -> Operand {
        self.count(name, consumed);
        self.operand(kind::MEM, TEMPORARY)
    }

    fn condition(&mut self, name: &'static str, consumed: &[Operand]) -> Operand {
        self.count(name, consumed);
        let condition = self.operand(kind::COND, TEMPORARY);
        self.books.borrow_mut().condition = Some(condition.body);
        condition
    }

    fn list(&mut self, name: &'static str, consumed: &[Operand]) -> JumpList {
        self.count(name, consumed);
        self.lists += 1;
        self.lists
    }
}

impl Machine for Counting {
    fn begin(&mut self, prologue: &Prologue<'_>, homes: &mut Vec<Operand>) {
        self.count("begin", &[]);
        homes.extend(prologue.params.iter().map(|_| self.operand(kind::REG, 0)));
    }
    fn finish(&mut self, _: Type, value: Operand, open: bool) -> Finished {
        self.count("finish", if open { std::slice::from_ref(&value) } else { &[] });
        Finished::default()
    }
    fn take_error(&mut self) -> Option<Error> {
        None
    }
    fn abandon(&mut self) {}
    fn binary(&mut self, _: Binary, a: Operand, b: Operand) -> Operand {
        self.temporary("binary", &[a, b])
    }
    fn unary(&mut self, _: UnaryOp, _: Type, a: Operand) -> Operand {
        self.temporary("unary", &[a])
    }
    fn compare(&mut self, _: Compare, a: Operand, b: Operand) -> Operand {
        self.condition("compare", &[a, b])
    }
    fn test(&mut self, _: Type, a: Operand, b: Operand, _: bool) -> Operand {
        self.condition("test", &[a, b])
    }
    fn convert(&mut self, _: Type, _: Type, a: Operand) -> Operand {
        self.temporary("convert", &[a])
    }
    fn bitcast(&mut self, _: Type, _: Type, a: Operand) -> Operand {
        self.temporary("bitcast", &[a])
    }
    fn release(&mut self, a: Operand) {
        self.count("release", &[a]);
    }
    fn pin(&mut self, _: Type, a: Operand) -> Operand {
        self.temporary("pin", &[a])
    }
    fn settle(&mut self, a: Operand) -> Operand {
        self.temporary("settle", &[a])
    }
    fn declare(&mut self, _: Type, init: Operand) -> Operand {
        self.home("declare", &[init])
    }
    fn declare_zeroed(&mut self, _: Type, _: bool) -> Operand {
        self.home("declare_zeroed", &[])
    }
    fn assign(&mut self, _: Type, _: Operand, value: Operand) {
        self.count("assign", &[value]);
    }
    fn assign_binary(&mut self, _: Binary, _: Operand, value: Operand) {
        self.count("assign_binary", &[value]);
    }
    fn take(&mut self, _: Operand) -> Operand {
        self.temporary("take", &[])
    }
    fn declare_bound(&mut self, _: Type, bound: Operand) -> Operand {
        if bound.head & TEMPORARY == 0 { bound } else { self.home("declare_bound", &[bound]) }
    }
    fn in_register(&mut self, _: Type, a: Operand) -> Operand {
        self.temporary("in_register", &[a])
    }
    fn borrowed(&self, a: Operand) -> Operand {
        Operand { head: a.head & !TEMPORARY, ..a }
    }
    fn refers_to(&self, value: Operand, home: Operand) -> bool {
        value == home
    }
    fn address(&mut self, base: Operand, index: Option<Operand>, _: u32, _: i32) -> Operand {
        self.memory("address", &[base, index.unwrap_or(Operand::UNIT)])
    }
    fn displaced(&mut self, place: Operand, _: i32) -> Operand {
        self.memory("displaced", &[place])
    }
    fn pointer(&mut self, place: Operand) -> Operand {
        self.temporary("pointer", &[place])
    }
    fn element(&mut self, place: Operand, index: Operand, _: u32) -> Operand {
        self.memory("element", &[place, index])
    }
    fn load(&mut self, _: Type, place: Operand) -> Operand {
        self.memory("load", &[place])
    }
    fn load_behind(&mut self, _: Type, pointer: Operand, _: i32) -> Operand {
        self.memory("load_behind", &[pointer])
    }
    fn store(&mut self, _: Type, place: Operand, value: Operand) {
        self.count("store", &[place, value]);
    }
    fn store_binary(&mut self, _: Binary, place: Operand, value: Operand) {
        self.count("store_binary", &[place, value]);
    }
    fn invert(&mut self, condition: Operand) -> Operand {
        self.condition("invert", &[condition])
    }
    fn jump_if_false(&mut self, condition: Operand) -> JumpList {
        self.list("jump_if_false", &[condition])
    }
    fn jump_if_true(&mut self, condition: Operand) -> JumpList {
        self.list("jump_if_true", &[condition])
    }
    fn and(&mut self, _: JumpList, rhs: Operand) -> Operand {
        self.condition("and", &[rhs])
    }
    fn or(&mut self, _: JumpList, rhs: Operand) -> Operand {
        self.condition("or", &[rhs])
    }
    fn jump(&mut self) -> JumpList {
        self.list("jump", &[])
    }
    fn merge(&mut self, a: JumpList, b: JumpList) -> JumpList {
        a.max(b)
    }
    fn here(&mut self) -> Place {
        self.count("here", &[]);
        self.places += 1;
        Place(self.places)
    }
    fn land(&mut self, list: JumpList) {
        if list != 0 {
            self.count("land", &[]);
        }
    }
    fn send(&mut self, list: JumpList, _: Place) {
        if list != 0 {
            self.count("send", &[]);
        }
    }
    fn trap_if(&mut self, condition: Operand, _: TrapKind) {
        self.count("trap_if", &[condition]);
    }
    fn trap_code(&mut self, code: Operand) {
        self.count("trap_code", &[code]);
    }
    fn call(&mut self, _: Target, params: &[(Type, Operand)], _: u32, ret: Type) -> Operand {
        let consumed: Vec<_> = params.iter().map(|&(_, operand)| operand).collect();
        self.count("call", &consumed);
        if ret == Type::Unit { Operand::UNIT } else { self.operand(kind::REG, TEMPORARY) }
    }
    fn ret(&mut self, _: Type, value: Operand) {
        self.count("ret", &[value]);
    }
    fn lost(&self, _: &mut dyn Iterator<Item = Operand>) -> u32 {
        self.books.borrow().pending.len() as u32
    }
    fn overflowed(&self) -> Option<usize> {
        None
    }
    fn place(&self, _: &mut [u8], _: u64) {}
    fn switch(&mut self, index: Operand, count: u32, entries: &mut Vec<JumpList>) {
        self.count("switch", &[index]);
        entries.extend((0..count).map(|_| self.list("entry of a switch", &[])));
    }
}

/// What a machine is asked for by a function, as text.
fn counts<S: crate::Signature>(staged: crate::Staged<'_, S>) -> String {
    let books = Rc::<RefCell<Books>>::default();
    let machine = Counting { books: books.clone(), operands: 0, lists: 0, places: 0 };
    let mut emitter = Emitter::new(Box::new(machine));
    let finished = jit::emit(&mut emitter, &jit::Quoted::of::<S>(), staged.into_handle());
    assert!(!finished.is(Finished::FAILED));
    let books = books.borrow();
    assert_eq!(books.pending, BTreeSet::new(), "I1: all that was made is consumed");
    let counts = books.counts.iter().filter(|(name, _)| !matches!(**name, "begin" | "finish"));
    counts.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_machine_that_only_counts_is_asked_for_what_the_quotations_say() {
    use crate::prelude::*;

    extern "C" fn twice(x: i64) -> i64 {
        x * 2
    }

    assert_eq!(counts(tick!(|| {})), "");
    // Constants never reach a machine.
    assert_eq!(counts(tick!(|| -> i64 { (2 + 3) * $(7i64) })), "");
    // The last mention of a variable in a statement takes its register.
    let straight = counts(tick!(|a: i64, b: i64| -> i64 { a * b + (a ^ 5) }));
    assert_eq!(straight, "binary 3, take 1");
    // Both arms meet in a home.
    let branch = counts(tick!(|a: u32, b: u32| -> u32 { if a < b { a } else { b + 1 } }));
    assert_eq!(branch, "assign 1, binary 1, compare 1, declare 1, jump 1, jump_if_false 1, land 2, take 1");
    // Neither a value of the conditions nor a check of the bounds; the loop is entered at its top, and tests at its end.
    let condition = counts(tick!(|a: i64, b: i64| {
        if a < b && b != 9 || a == 3 {
            trap(4)
        }
    }));
    assert_eq!(condition, "and 1, compare 3, jump_if_false 2, jump_if_true 1, land 1, or 1, trap_code 1");
    let sum = counts(tick!(|s: Slice<i32>| -> i32 {
        let mut sum = 0;
        for i in 0..s.len() {
            sum += s[i];
        }
        sum
    }));
    assert_eq!(
        sum,
        "address 1, assign_binary 2, compare 2, declare 2, here 1, jump_if_false 1, jump_if_true 1, land 1, load 1, release 1, \
         send 1, take 2"
    );
    // Division by a constant is made of other operations, by a variable it is one; only `index` checks a bound.
    let call = counts(tick!(|s: Slice<i64>, index: usize, b: i64| -> i64 { twice(s[index] / b) + b / 8 }));
    assert_eq!(
        call,
        "address 1, binary 6, call 1, compare 1, convert 2, in_register 1, load 1, pin 1, take 1, trap_if 1"
    );
    let table = counts(tick!(|x: u8| -> u8 {
        match x {
            0 => 5,
            1 => 9,
            2 => 1,
            3 => 7,
            4 => 2,
            5 => 8,
            6 => 3,
            _ => 0,
        }
    }));
    assert_eq!(
        table,
        "assign 7, compare 1, convert 1, declare 2, entry of a switch 7, in_register 1, jump 7, jump_if_true 1, land 9, \
         release 1, switch 1, take 3"
    );
}

/// The guide names every method that there is.
#[test]
fn the_porting_guide_is_complete() {
    let (guide, source) = (include_str!("../../docs/PORTING.md"), include_str!("machine.rs"));
    let interface = source.split_once("pub(crate) trait Machine {").expect("the trait is there").1;
    let methods: Vec<_> = interface
        .lines()
        .filter_map(|line| line.strip_prefix("    fn "))
        .map(|method| &method[..method.find('(').expect("a list of parameters")])
        .collect();
    assert!(methods.len() > 50, "{methods:?}");
    let missing: Vec<_> = methods.iter().filter(|method| !guide.contains(&format!("`{method}`"))).collect();
    assert!(missing.is_empty(), "docs/PORTING.md does not name {missing:?}");
}
