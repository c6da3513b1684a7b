//! W4: a predicate over a record of eight `i64`, with real branches:
//! `((a>10 && b<=20) || (c==5 && d!=7)) && (e+f > g || h%2==0)`.
//! `fn(record: *const Record) -> bool`.

use std::hint::black_box;

use super::{Program, Xorshift64, expect};
use crate::counts::Count;

/// What the predicate looks at; eight `i64` in this order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, tickc::Record)]
#[allow(missing_docs, reason = "the fields are those of the formula above")]
pub struct Record {
    pub a: i64,
    pub b: i64,
    pub c: i64,
    pub d: i64,
    pub e: i64,
    pub f: i64,
    pub g: i64,
    pub h: i64,
}

/// The constants of the predicate, known at run time.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// `a > a_above`
    pub a_above: i8,
    /// `b <= b_most`
    pub b_most: i8,
    /// `c == c_is`
    pub c_is: i8,
    /// `d != d_not`
    pub d_not: i8,
}

/// The query of the workload.
pub static QUERY: Query = Query { a_above: 10, b_most: 20, c_is: 5, d_not: 7 };

/// Fragments when composed of six comparisons, `(a && b)`, `(c && d)`, `(e || h)`, and
/// the function that joins them.
pub const FRAGMENTS: u32 = 9;

/// The standard input: records in turn that take every path, so that no single path's
/// place in a cache line decides the time.
static INPUT: [Record; 8] = [
    record([11, 20, 0, 0, 1, 2, 2, 1]),
    record([3, 20, 5, 8, 1, 2, 3, 4]),
    record([11, 21, 5, 7, 1, 2, 2, 2]),
    record([11, 3, 5, 7, 1, 2, 3, 3]),
    record([10, 0, 5, 6, 9, 2, 3, 5]),
    record([12, 22, 4, 6, 9, 2, 3, 5]),
    record([90, -5, 4, 6, 0, 2, 3, 6]),
    record([0, 22, 5, 8, 0, 0, 0, -1]),
];

const fn record([a, b, c, d, e, f, g, h]: [i64; 8]) -> Record {
    Record { a, b, c, d, e, f, g, h }
}

/// The right answer.
#[must_use]
pub fn reference(r: &Record) -> bool {
    ((r.a > 10 && r.b <= 20) || (r.c == 5 && r.d != 7)) && (r.e.wrapping_add(r.f) > r.g || r.h % 2 == 0)
}

#[inline(never)]
fn generic(r: &Record, q: &Query) -> bool {
    ((r.a > i64::from(q.a_above) && r.b <= i64::from(q.b_most))
        || (r.c == i64::from(q.c_is) && r.d != i64::from(q.d_not)))
        && (r.e.wrapping_add(r.f) > r.g || r.h % 2 == 0)
}

/// The predicate in Rust, its four constants in a struct.
#[must_use]
pub fn baseline() -> Program {
    program(None, |r| generic(r, black_box(&QUERY)))
}

/// A predicate as a tree, as a query engine without run-time code would hold it.
#[derive(Debug)]
enum Tree {
    And(Box<[Tree; 2]>),
    Or(Box<[Tree; 2]>),
    Gt(Box<[Tree; 2]>),
    Le(Box<[Tree; 2]>),
    Eq(Box<[Tree; 2]>),
    Ne(Box<[Tree; 2]>),
    Add(Box<[Tree; 2]>),
    Rem(Box<[Tree; 2]>),
    Field(usize),
    Constant(i64),
}

impl Tree {
    fn eval(&self, r: &[i64; 8]) -> i64 {
        match self {
            Tree::And(t) => i64::from(t[0].eval(r) != 0 && t[1].eval(r) != 0),
            Tree::Or(t) => i64::from(t[0].eval(r) != 0 || t[1].eval(r) != 0),
            Tree::Gt(t) => i64::from(t[0].eval(r) > t[1].eval(r)),
            Tree::Le(t) => i64::from(t[0].eval(r) <= t[1].eval(r)),
            Tree::Eq(t) => i64::from(t[0].eval(r) == t[1].eval(r)),
            Tree::Ne(t) => i64::from(t[0].eval(r) != t[1].eval(r)),
            Tree::Add(t) => t[0].eval(r).wrapping_add(t[1].eval(r)),
            Tree::Rem(t) => t[0].eval(r).checked_rem(t[1].eval(r)).unwrap_or(0),
            Tree::Field(i) => r[*i],
            Tree::Constant(c) => *c,
        }
    }
}

/// A walk over the predicate's tree.
#[must_use]
pub fn tree_walk() -> Program {
    let two = |a, b| Box::new([a, b]);
    let is = |make: fn(Box<[Tree; 2]>) -> Tree, field, constant: i8| {
        make(two(Tree::Field(field), Tree::Constant(constant.into())))
    };
    let tree = Tree::And(two(
        Tree::Or(two(
            Tree::And(two(is(Tree::Gt, 0, QUERY.a_above), is(Tree::Le, 1, QUERY.b_most))),
            Tree::And(two(is(Tree::Eq, 2, QUERY.c_is), is(Tree::Ne, 3, QUERY.d_not))),
        )),
        Tree::Or(two(
            Tree::Gt(two(Tree::Add(two(Tree::Field(4), Tree::Field(5))), Tree::Field(6))),
            Tree::Eq(two(is(Tree::Rem, 7, 2), Tree::Constant(0))),
        )),
    ));
    program(None, move |r| {
        let Record { a, b, c, d, e, f, g, h } = *r;
        black_box(&tree).eval(&[a, b, c, d, e, f, g, h]) != 0
    })
}

/// Wraps an implementation.
pub fn program(size: Option<Count>, call: impl Fn(&Record) -> bool + 'static) -> Program {
    Program::new(
        size,
        call,
        |f| {
            let mut random = Xorshift64::new(4);
            let mut near = |middle: i64| middle - 1 + random.below(3) as i64;
            let all = i64::MIN;
            let extreme = Record { a: i64::MAX, b: all, e: all, f: -1, g: i64::MAX, h: all + 1, ..INPUT[1] };
            expect(extreme, f(&extreme).into(), reference(&extreme).into())?;
            for _ in 0..4_000 {
                let r = Record {
                    a: near(10),
                    b: near(20),
                    c: near(5),
                    d: near(7),
                    e: near(0),
                    f: near(0),
                    g: near(0),
                    h: near(-2),
                };
                expect(r, f(&r).into(), reference(&r).into())?;
            }
            INPUT.iter().try_for_each(|r| expect(r, f(r).into(), reference(r).into()))
        },
        |f, calls| {
            for call in 0..calls as usize {
                black_box(f(black_box(&INPUT[call % INPUT.len()])));
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_gives_the_right_answer() {
        assert!(tree_walk().check().is_ok());
    }
}
