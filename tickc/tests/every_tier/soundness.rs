//! What safe code once got wrong memory, wild jumps or endless loops with. Each test says what was wrong.
#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

#[path = "../support/mod.rs"]
mod support;

use support::jit;
use tickc::prelude::*;

/// Says when it is dropped, and whether what it borrows was there still.
struct Guard<'a>(&'a Cell<bool>, &'a Rc<Cell<u32>>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        assert!(self.0.get(), "what is borrowed lives");
        self.1.set(self.1.get() + 1);
    }
}

/// Marks what is borrowed as gone.
struct Lent(Cell<bool>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

fn holding<'a, C>(x: Var<i64>, _: &C) -> Code<'a, i64> {
    tick!(@x)
}

/// The drop of a fragment was put off until the future that it lived in, with what it borrowed, was gone.
#[test]
fn code_in_a_future_is_dropped_before_what_it_borrows_there() {
    type Task = Pin<Box<dyn Future<Output = ()>>>;
    let dropped = Rc::new(Cell::new(0));
    let count = dropped.clone();
    let mut task: Task = Box::pin(async move {
        let lent = Lent(Cell::new(true));
        let guard = Guard(&lent.0, &count);
        let _code: Code<i64> = tick!(move { let x = 1; @(holding(x, &guard)) });
        std::future::pending::<()>().await;
    });
    assert!(task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let code: Code<i64> = tick!(move { let x = 1; @(holding(x, &task)) });
    drop(code);
    assert_eq!(dropped.get(), 1);
}

/// The drop of a fragment made and dropped by somebody's `Drop` was put off until that had returned.
#[test]
fn code_in_a_drop_is_dropped_before_what_it_borrows_there() {
    struct Outer(Rc<Cell<u32>>);
    impl Drop for Outer {
        fn drop(&mut self) {
            let lent = Lent(Cell::new(true));
            let guard = Guard(&lent.0, &self.0);
            let code: Code<i64> = tick!(move { let x = 1; @(holding(x, &guard)) });
            let inner: Code<i64> = tick!(move { let x = 1; @(holding(x, &code)) });
            drop(inner);
            assert_eq!(self.0.get(), 1);
        }
    }
    let dropped = Rc::new(Cell::new(0));
    let outer = Outer(dropped.clone());
    let code: Code<i64> = tick!(move { let x = 1; @(holding(x, &outer)) });
    drop(code);
    assert_eq!(dropped.get(), 1);
}

/// Fragments in containers in fragments are not dropped by a loop: they must not overflow the stack.
#[test]
#[cfg_attr(miri, ignore = "makes 100,000 fragments")]
fn a_long_chain_through_containers_does_not_overflow_the_stack() {
    let drop_chain = || {
        let mut chain: Code<i64> = tick!(0);
        for _ in 0..100_000 {
            let inner = [chain];
            chain = tick!({
                let mut sum = 0;
                for code in $(inner.to_vec()) {
                    sum += @code;
                }
                sum
            });
        }
        drop(chain);
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(drop_chain).unwrap().join().unwrap();
}

/// Deferred code drops every handle of the fragment in which it stands.
#[test]
fn a_fragment_that_drops_itself_while_it_is_instantiated_lives_on() {
    let own: Rc<RefCell<Option<Code<'static, i64>>>> = Rc::default();
    let seen = Rc::new(Cell::new(0));
    for boxed in [false, true] {
        let (cell, count): (Rc<_>, _) = (own.clone(), seen.clone());
        let forget = move |x: Var<i64>| -> Code<'static, i64> {
            *cell.borrow_mut() = None;
            // Another fragment takes the place of what was freed too early.
            let other: Code<i64> = tick!(@x + 1);
            count.set(count.get() + 1);
            other
        };
        if boxed {
            *own.borrow_mut() = Some(tick!(move { let x = 20; let y = @(forget(x)); @(forget(y)) * 2 }));
        } else {
            // Leaked, so that the fragment needs no drop and lies in a chunk.
            let forget = &*Box::leak(Box::new(forget));
            *own.borrow_mut() = Some(tick!(move { let x = 20; let y = @(forget(x)); @(forget(y)) * 2 }));
        }
        let own = own.clone();
        let take = move || own.borrow().clone().expect("set above");
        let f = jit().compile(tick!(|z: i64| -> i64 { let w = z; @({ let _ = w; take() }) + w })).unwrap();
        assert_eq!(f.call(100), 144);
    }
    assert_eq!(seen.get(), 4);
}

/// Once nesting was too deep, emission went on with all the branches of the recursion: for ever.
#[test]
#[cfg_attr(miri, ignore = "reaches the limit of nesting")]
fn endless_recursion_with_two_branches_is_an_error() {
    fn twice<'a>(x: Var<i64>) -> Code<'a, i64> {
        tick!({ let y = @x + 1; @(twice(y)) + @(twice(y)) })
    }
    for _ in 0..2 {
        let error = jit().compile(tick!(|x: i64| -> i64 { @(twice(x)) })).unwrap_err();
        assert!(matches!(error, Error::NestingTooDeep { .. }), "{error}");
        // The thread's emitter enters fragments again.
        let one: Code<i64> = tick!(1);
        assert_eq!(jit().compile(tick!(|x: i64| -> i64 { x + @one })).unwrap().call(41), 42);
    }
}

#[derive(Clone, Copy, Record)]
struct Wide {
    low: [u8; 1 << 30],
    high: [u8; (1 << 30) - 1],
}

/// Displacements past 2 GiB wrapped, to memory before the slice.
#[test]
#[cfg_attr(miri, ignore = "an element is of 2 GiB")]
fn parts_of_huge_elements_are_found() {
    const LEN: usize = 5 << 30;
    let mut memory = Vec::<u8>::new();
    if memory.try_reserve_exact(LEN).is_err() {
        return;
    }
    drop(memory);
    let mut memory = vec![0u8; LEN];
    memory[(1 << 30) + 7] = 1;
    memory[(3usize << 30) + 5] = 2;
    memory[(4usize << 30) + 3] = 3;
    let (chunks, _) = memory.as_chunks::<{ 1 << 30 }>();
    let byte = jit().compile(tick!(|s: Slice<[u8; 1 << 30]>| -> u8 { s[1][7] + s[3][5] + s[4][3] })).unwrap();
    assert_eq!(byte.call(chunks), 6);
    let byte = jit().compile(tick!(|s: Slice<[u8; 1 << 30]>, i: usize, k: usize| -> u8 { s[i][k] })).unwrap();
    assert_eq!((byte.call(chunks, 1, 7), byte.call(chunks, 3, 5), byte.call(chunks, 4, 3)), (1, 2, 3));
    let len = jit().compile(tick!(|w: Ref<Wide>| -> usize { w.low.len() + w.high.len() })).unwrap();
    let _: &Func<fn(Ref<Wide>) -> usize> = &len;
}

/// Elements without a size.
#[test]
fn elements_of_size_zero_are_checked_and_have_nothing_in_them() {
    let f = jit().compile(tick!(|s: Slice<[u8; 0]>, i: usize, k: usize| -> u8 { s[i][k] })).unwrap();
    assert!(matches!(f.try_call(&[[]; 3], 2, 0), Err(Trap::IndexOutOfBounds)));
    let f = jit().compile(tick!(|s: Slice<[u8; 0]>, i: usize| -> usize { s[i].len() + s.len() })).unwrap();
    assert_eq!(f.call(&[[]; 3], 2), 3);
    assert!(matches!(f.try_call(&[[]; 3], 3), Err(Trap::IndexOutOfBounds)));
}

#[test]
#[cfg_attr(miri, ignore = "reaches limits of millions")]
fn fragments_that_double_at_each_level_never_ended() {
    let jit = jit();
    // With code: the function becomes too large.
    let x = Var::<i64>::local();
    let code = (0..40).fold(tick!(@x), |c, _| tick!(@c + @c));
    let error = jit.compile(tick!(|| -> i64 { @code })).unwrap_err();
    assert!(matches!(error, Error::CodeTooLarge { .. }), "{error}");
    // Without: there are too many fragments.
    let code = (0..40).fold(tick!(()), |c, _| {
        tick!({
            @c;
            @c;
        })
    });
    let error = jit.compile(tick!(|| @code)).unwrap_err();
    assert!(matches!(error, Error::TooManyFragments { .. }), "{error}");
    assert_eq!(jit.compile(tick!(|| -> i64 { 1 })).unwrap().call(), 1);
}
