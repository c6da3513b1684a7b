//! The tiers of `tickc` on the common workload.
//!
//! What is timed is everything: the quotations, their composition, `compile`, and the destruction of the closures. W1 is
//! composed by recursion, one fragment a step; W2 to W6 are one quotation each, with unrolled loops; W4 is also composed of
//! a fragment for each comparison.

use std::hint::black_box;

use tickc::prelude::*;
use tickc::{JitBuilder, Param, Phases, RegisterAllocator, Return};

use crate::candidates::{Candidate, built};
use crate::clif;
use crate::counts::Count;
use crate::workloads::w6_large::Kind;
use crate::workloads::{Workload, apart, empty, w1_power, w2_horner, w3_dot, w4_query, w5_loop, w6_large};

/// An array as a record, so that its constant indices need no check.
#[derive(Clone, Copy, tickc::Record)]
#[repr(transparent)]
struct Array<const N: usize> {
    x: [i64; N],
}

impl<const N: usize> Array<N> {
    #[allow(unsafe_code, reason = "views an array as the record that has nothing but it")]
    fn of(x: &[i64; N]) -> &Self {
        // SAFETY: `Array` is `repr(transparent)` over the array.
        unsafe { &*(&raw const *x).cast::<Self>() }
    }
}

/// Code for x to the n, as in the front page of `tickc`.
fn power<'a>(x: Var<i64>, n: u32) -> Code<'a, i64> {
    if n == 0 {
        tick!(1)
    } else if n.is_multiple_of(2) {
        let half = power(x, n / 2);
        tick!({
            let h = @half;
            h * h
        })
    } else {
        let rest = power(x, n - 1);
        tick!(@x * @rest)
    }
}

fn size<S>(f: &Func<S>) -> Option<Count> {
    let stats = f.stats();
    Some(Count { instructions: stats.instructions, bytes: stats.bytes })
}

fn compile_empty(jit: &Jit) -> Func<fn()> {
    jit.compile(tick!(|| {})).expect("compiles")
}

fn compile_w1(jit: &Jit) -> Func<fn(i64) -> i64> {
    let n = black_box(w1_power::EXPONENT);
    jit.compile(tick!(|x: i64| -> i64 { @(power(x, n)) })).expect("compiles")
}

fn compile_w2(jit: &Jit) -> Func<fn(i64) -> i64> {
    let (last, rest) = black_box(&w2_horner::COEFFICIENTS).split_last().expect("33 coefficients");
    jit.compile(tick!(|x: i64| -> i64 {
        let mut sum = $(*last);
        for c in $(rest.iter().rev()) {
            sum = sum * x + $(*c);
        }
        sum
    }))
    .expect("compiles")
}

fn compile_w3(jit: &Jit) -> Func<fn(Ref<Array<64>>) -> i64> {
    let constants = black_box(&w3_dot::CONSTANTS);
    jit.compile(tick!(|p: Ref<Array<64>>| -> i64 {
        let mut sum = 0;
        for (i, c) in $(constants.iter().enumerate()) {
            if $(*c != 0) {
                sum += p.x[$i] * $(*c);
            }
        }
        sum
    }))
    .expect("compiles")
}

fn compile_w4(jit: &Jit) -> Func<fn(Ref<w4_query::Record>) -> bool> {
    let q = black_box(&w4_query::QUERY);
    let (a, b, c, d) = (i64::from(q.a_above), i64::from(q.b_most), i64::from(q.c_is), i64::from(q.d_not));
    jit.compile(tick!(|r: Ref<w4_query::Record>| -> bool {
        ((r.a > $a && r.b <= $b) || (r.c == $c && r.d != $d)) && (r.e + r.f > r.g || r.h % 2 == 0)
    }))
    .expect("compiles")
}

fn compile_w4_composed(jit: &Jit) -> Func<fn(Ref<w4_query::Record>) -> bool> {
    fn conditions<'a>(r: Var<Ref<w4_query::Record>>) -> Code<'a, bool> {
        let q = black_box(&w4_query::QUERY);
        let (a, b, c, d) = (i64::from(q.a_above), i64::from(q.b_most), i64::from(q.c_is), i64::from(q.d_not));
        let (a, b) = (tick!((@r).a > $a), tick!((@r).b <= $b));
        let (c, d) = (tick!((@r).c == $c), tick!((@r).d != $d));
        let (ab, cd) = (tick!(@a && @b), tick!(@c && @d));
        let (sum, even) = (tick!((@r).e + (@r).f > (@r).g), tick!((@r).h % 2 == 0));
        tick!((@ab || @cd) && (@sum || @even))
    }
    jit.compile(tick!(|r: Ref<w4_query::Record>| -> bool { @(conditions(r)) })).expect("compiles")
}

fn compile_w5(jit: &Jit) -> Func<fn(Slice<i64>) -> i64> {
    let (factor, c) = (i64::from(black_box(w5_loop::FACTOR)), black_box(w5_loop::ADDEND));
    jit.compile(tick!(|p: Slice<i64>| -> i64 {
        let mut s = 0;
        for i in 0..p.len() {
            s = (s * $factor) ^ p[i];
            if s & 1 == 1 {
                s += $c;
            }
        }
        s
    }))
    .expect("compiles")
}

fn compile_w6(jit: &Jit) -> Func<fn(Ref<Array<24>>) -> i64> {
    let ops = black_box(&w6_large::OPS);
    let v: [Var<i64>; 24] = std::array::from_fn(|_| Var::local());
    jit.compile(tick!(|p: Ref<Array<24>>| -> i64 {
        for (i, v) in $(v.into_iter().enumerate()) {
            @v = p.x[$i];
        }
        for op in $(ops.iter()) {
            match $(op.kind) {
                Kind::Add => @(v[op.d as usize]) += @(v[op.s as usize]),
                Kind::Sub => @(v[op.d as usize]) -= @(v[op.s as usize]),
                Kind::Mul => @(v[op.d as usize]) *= @(v[op.s as usize]),
                Kind::Xor => @(v[op.d as usize]) ^= @(v[op.s as usize]),
                Kind::And => @(v[op.d as usize]) &= @(v[op.s as usize]),
                Kind::Shl => @(v[op.d as usize]) <<= $(op.s),
            }
        }
        let mut all = 0;
        for v in $(v.into_iter()) {
            all ^= @v;
        }
        all
    }))
    .expect("compiles")
}

/// A candidate whose function is compiled by `compile` and run through `program`, by calls that are told `apart`: through a pointer, as
/// the hand-allocated code is called, so that code is compared with code.
macro_rules! candidate {
    ($settings:expr, $workload:ident, $tier:expr, $fragments:expr, $compile:ident, $program:path, $apart:expr, $x:ident => $arg:expr) => {{
        let jit = $settings.clone().build().expect("a tier of this machine");
        built(
            Workload::$workload,
            $tier,
            Some($fragments),
            move || $compile(&jit),
            move |f| {
                let pointer = f.as_pointer().expect("machine code that cannot trap");
                $program(size(&f), move |$x| {
                    $apart();
                    #[allow(unsafe_code, reason = "calls machine code")]
                    // SAFETY: the function lives, and the argument is what its `call` takes.
                    unsafe {
                        pointer(abi_of(&f, $arg))
                    }
                })
            },
        )
    }};
}

/// An argument as the code of a function takes it.
#[inline(always)]
fn abi_of<P: Param, R: Return>(_: &Func<fn(P) -> R>, arg: P::Arg<'_>) -> P::Abi {
    P::into_abi(arg)
}

/// The candidates of all tiers.
#[must_use]
pub fn candidates() -> Vec<Box<dyn Candidate>> {
    let tier = |tier| Jit::builder().tier(tier);
    let one_pass = of::<3>(&tier(Tier::OnePass), "one-pass", Some("one-pass-composed"));
    let linear_scan = of::<4>(&tier(Tier::LinearScan), "linear-scan", Some("linear-scan-composed"));
    let cranelift = of::<5>(&tier(Tier::Cranelift), "cranelift", None);
    [one_pass, linear_scan, cranelift].into_iter().flatten().collect()
}

/// The linear-scan tier with the other register allocators that it has.
#[must_use]
pub fn allocators() -> Vec<Box<dyn Candidate>> {
    let with = |allocator| Jit::builder().tier(Tier::LinearScan).register_allocator(allocator);
    let coarse_scan = of::<6>(&with(RegisterAllocator::CoarseLinearScan), "coarse-scan", None);
    let usage_counts = of::<7>(&with(RegisterAllocator::UsageCounts), "usage-counts", None);
    let graph_coloring = of::<8>(&with(RegisterAllocator::GraphColoring), "graph-coloring", None);
    [coarse_scan, usage_counts, graph_coloring].into_iter().flatten().collect()
}

/// The candidates of a tier, by the number `N`.
fn of<const N: usize>(
    tier: &JitBuilder,
    name: &'static str,
    composed: Option<&'static str>,
) -> Vec<Box<dyn Candidate>> {
    let jit = tier.clone().build().expect("a tier of this machine");
    let call_empty = |f: Func<fn()>| {
        empty::program(size(&f), move || {
            apart::<N>();
            f.call();
        })
    };
    let mut all = vec![
        built(Workload::Empty, name, Some(0), move || compile_empty(&jit), call_empty),
        candidate!(tier, W1, name, w1_power::FRAGMENTS, compile_w1, w1_power::program, apart::<N>, x => x),
        candidate!(tier, W2, name, 1, compile_w2, w2_horner::program, apart::<N>, x => x),
        candidate!(tier, W3, name, 1, compile_w3, w3_dot::program, apart::<N>, p => Array::of(p)),
        candidate!(tier, W4, name, 1, compile_w4, w4_query::program, apart::<N>, r => r),
        candidate!(tier, W5, name, 1, compile_w5, w5_loop::program, apart::<N>, p => p),
        candidate!(tier, W6, name, 1, compile_w6, w6_large::program, apart::<N>, p => Array::of(p)),
    ];
    if let Some(name) = composed {
        // Of the same code as W4, but not to be merged with it either.
        let apart = || (apart::<N>(), apart::<100>());
        all.push(
            candidate!(tier, W4, name, w4_query::FRAGMENTS, compile_w4_composed, w4_query::program, apart, r => r),
        );
    }
    all
}

/// What the Cranelift tier takes beside Cranelift, in percent of what Cranelift takes: to build CLIF and to compile it. Ours is
/// what it takes to run the fragments, to make CLIF of them and to place the code, less what building the same CLIF by hand takes. Of
/// each of the three the least of some compilations, by workload. Building by hand and compiling take turns, so that both begin with the caches that
/// Cranelift leaves.
///
/// # Panics
/// If this machine does not have the tier.
#[must_use]
pub fn beside_cranelift() -> Vec<(Workload, f64)> {
    let jit = Jit::builder().tier(Tier::Cranelift).stats(true).build().expect("a tier of this machine");
    let beside = |workload: Workload, phases: &dyn Fn() -> Option<Phases>| {
        let mut build = clif::building(workload);
        let rounds = if workload == Workload::W6 { 30 } else { 500 };
        let [mut ours, mut theirs, mut by_hand] = [f64::INFINITY; 3];
        for _ in 0..rounds {
            let p = phases().expect("they were asked for");
            ours = ours.min((p.emit + p.lower + p.publish) as f64);
            theirs = theirs.min(p.generate as f64);
            by_hand = by_hand.min(build() as f64);
        }
        (workload, 100.0 * (ours - by_hand) / (theirs + by_hand))
    };
    vec![
        beside(Workload::W1, &|| compile_w1(&jit).stats().phases),
        beside(Workload::W2, &|| compile_w2(&jit).stats().phases),
        beside(Workload::W3, &|| compile_w3(&jit).stats().phases),
        beside(Workload::W4, &|| compile_w4(&jit).stats().phases),
        beside(Workload::W5, &|| compile_w5(&jit).stats().phases),
        beside(Workload::W6, &|| compile_w6(&jit).stats().phases),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w4_composed_of_fragments_is_the_same_machine_code() {
        let jit = Jit::builder().tier(Tier::OnePass).build().expect("a tier of this machine");
        let (one, composed) = (compile_w4(&jit), compile_w4_composed(&jit));
        let code = |text: String| -> Vec<String> {
            text.lines().map(|l| l.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")).collect()
        };
        let relative = |lines: Vec<String>| -> Vec<String> {
            lines
                .into_iter()
                .map(|l| if l.starts_with('j') { l.split(' ').next().unwrap().to_owned() } else { l })
                .collect()
        };
        assert_eq!(relative(code(one.disassemble())), relative(code(composed.disassemble())));
        assert_eq!(one.stats().bytes, composed.stats().bytes);
    }
}
