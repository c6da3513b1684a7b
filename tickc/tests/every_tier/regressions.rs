//! What random programs found, each as small as it would get, named after what was wrong.
#![forbid(unsafe_code)]
#[path = "../support/mod.rs"]
mod support;

use support::jit;
use tickc::prelude::*;

/// `n` levels of `leaf op (leaf op (…))`.
fn right_leaning<'a>(n: u32, leaf: &dyn Fn(u32) -> Code<'a, i64>) -> Code<'a, i64> {
    (1..n).fold(leaf(0), |tree, i| {
        let left = leaf(i);
        tick!(@left - @tree)
    })
}

fn right_leaning_value(n: u32, leaf: &dyn Fn(u32) -> i64) -> i64 {
    (1..n).fold(leaf(0), |tree, i| leaf(i).wrapping_sub(tree))
}

/// Variables that take every register which variables may have.
fn with_crowded_registers<'a>(x: Var<i64>, code: Code<'a, i64>) -> Code<'a, i64> {
    let vars: Vec<Var<i64>> = (0..20).map(|_| Var::local()).collect();
    let set = vars.iter().zip(1i64..).fold(tick!(()), |code, (v, k)| tick!({ @code; @v = @x + $k; }));
    vars.iter().fold(tick!({ @set; @code }), |code, v| tick!(@code + @v))
}

fn sum_of_variables(x: i64) -> i64 {
    (1..=20).map(|k| x.wrapping_add(k)).sum()
}

#[test]
fn zeroing_a_local_destroyed_the_flags_of_the_condition_assigned_to_it() {
    for (a, b) in [(1i64, 2i64), (2, 1), (1, 1)] {
        let v = Var::<bool>::local();
        let f = jit().compile(tick!(|a: i64, b: i64| -> bool { @v = a < b; @v })).unwrap();
        assert_eq!(f.call(a, b), a < b, "{}", f.disassemble());
        let v = Var::<bool>::local();
        let f = jit().compile(tick!(|a: i64, b: i64| -> bool { @v ^= a != b && b != 2; @v })).unwrap();
        assert_eq!(f.call(a, b), a != b && b != 2, "{}", f.disassemble());
        let v = Var::<bool>::local();
        let f = jit().compile(tick!(|a: i64, b: i64| -> bool { @v = !(a < b || b == 1); @v })).unwrap();
        assert_eq!(f.call(a, b), !(a < b || b == 1), "{}", f.disassemble());
    }
}

#[test]
fn shifts_of_values_in_slots_kept_registers_until_none_were_left() {
    let f = jit()
        .compile(tick!(|x: i64, n: u32| -> i64 {
            @({
                let (y, m) = (Var::<i64>::local(), Var::<u32>::local());
                let code = right_leaning(20, &move |i| {
                    let i = i64::from(i);
                    tick!((@y ^ $i) << @m)
                });
                with_crowded_registers(x, tick!({ @y = @x; @m = @n; @code }))
            })
        }))
        .unwrap();
    for (x, n) in [(5i64, 3u32), (-1, 63), (1 << 40, 33)] {
        let want = right_leaning_value(20, &|i| (x ^ i64::from(i)).wrapping_shl(n)).wrapping_add(sum_of_variables(x));
        assert_eq!(f.call(x, n), want);
    }
}

#[test]
fn multiples_by_lea_kept_registers_until_none_were_left() {
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            @({
                let y = Var::<i64>::local();
                let code = right_leaning(20, &move |_| tick!(@y * 5));
                let code = tick!({ let z = @code; @y = @x; z + @code });
                with_crowded_registers(x, code)
            })
        }))
        .unwrap();
    for x in [5i64, -1, 1 << 40] {
        let want = right_leaning_value(20, &|_| x.wrapping_mul(5)).wrapping_add(sum_of_variables(x));
        assert_eq!(f.call(x), want);
    }
}

#[test]
fn stores_to_computed_elements_found_no_register() {
    let f = jit()
        .compile(tick!(|x: i64, n: u32, s: SliceMut<i64>| -> i64 {
            @({
                let store = tick!(@s[(@x as usize) & 3] <<= @n);
                let store = tick!({ @store; @s[(@x as usize) & 3] /= @s[(@x as usize) & 1] | 1; @x });
                with_crowded_registers(x, tick!(@store + (@store - (@store * (@store ^ (@store - @store))))))
            })
        }))
        .unwrap();
    let x = 6i64;
    let (mut s, mut t) = ([1i64, 5, -7, 9], [1i64, 5, -7, 9]);
    let got = f.call(x, 3, &mut s);
    for _ in 0..6 {
        t[2] <<= 3;
        t[2] /= t[0] | 1;
    }
    assert_eq!((got, s), (x + (x - (x * x)) + sum_of_variables(x), t));
}

#[test]
fn compound_stores_with_a_certain_trap_lost_the_registers_of_the_place() {
    let f = jit()
        .compile(tick!(|i: usize, c: bool, s: SliceMut<i64>| -> i64 {
            @({
                let store = tick!(if @c { @s[@i + 1] /= 0; });
                (0..40).fold(tick!(@s[@i]), |code, _| tick!({ @store; @code + @s[@i] }))
            })
        }))
        .unwrap();
    assert_eq!(f.call(1, false, &mut [1, 2, 3]), 82);
    assert!(matches!(f.try_call(1, true, &mut [1, 2, 3]), Err(Trap::DivisionByZero)));
}

/// A variable read for the last time in what is assigned to it was taken for a temporary that no longer exists
/// (linear-scan tier, program 5,657 of seed 2).
#[test]
fn a_variable_assigned_from_its_own_last_read() {
    let jit = support::jit();
    let f: Func<fn(u8) -> u8> = jit
        .compile(tick!(|i: u8| -> u8 {
            let mut w = 9u8;
            let zero = $(0u8);
            w = w * i ^ zero;
            w = w - i;
            let c = w;
            c + zero
        }))
        .unwrap();
    assert_eq!(f.call(200), 9u8.wrapping_mul(200).wrapping_sub(200));
}

#[test]
fn the_name_of_what_is_matched_stayed_in_scope() {
    let end = Label::new();
    let (goto, here) = (end.goto(), end.here());
    let constant = tick!(match $(1i64) { 0 => {} v => { v; } });
    let x = Var::<i64>::local();
    // What is matched has no register.
    let in_memory = with_crowded_registers(x, tick!({ match @x * 3 { 0 => {} v => { v; } } 0 }));
    let f = jit()
        .compile(tick!(|a: i64| -> i64 {
            @x = a;
            if a > 3 { @goto }
            @constant;
            @x = @in_memory;
            @here;
            @x
        }))
        .unwrap();
    assert_eq!((f.call(2), f.call(9)), (sum_of_variables(2), 9));
}

/// A local that was zeroed only to be assigned took its register one operation too late (linear-scan tier).
#[test]
fn locals_assigned_what_was_computed_before_them() {
    let locals: [Var<i64>; 10] = std::array::from_fn(|_| Var::local());
    let f = jit()
        .compile(tick!(|x: i64| -> i64 {
            for (i, v) in $(locals.iter().enumerate()) { @v = x ^ $(i as i64); }
            let mut sum = 0;
            for v in $(locals.iter()) { sum += @v; }
            sum
        }))
        .unwrap();
    assert_eq!(f.call(77), (0..10).map(|i| 77 ^ i).sum());
}

/// The result that nobody reads of an operation which must be done all the same went to a register that was somebody else's by then
/// (linear-scan tier, programs 2,733, 13,978 and 16,426 of seed 20,261,124).
#[test]
fn results_that_nobody_reads() {
    extern "C" fn other(x: i32) -> i32 {
        x + 1
    }
    let f = jit()
        .compile(tick!(|mut x: i32, y: i32| -> i32 {
            let old = x;
            x = 0 / y;
            old
        }))
        .unwrap();
    assert_eq!((f.call(7, 2), matches!(f.try_call(7, 0), Err(Trap::DivisionByZero))), (7, true));
    let f = jit()
        .compile(tick!(|mut x: i32, y: i32| -> i32 {
            let old = x;
            x = other(y);
            old
        }))
        .unwrap();
    assert_eq!(f.call(7, 2), 7);
}

/// A variable in a slot, multiplied by memory, was loaded over the factor (linear-scan tier, programs 29,628 and 44,836 of seed
/// 20,261,124).
#[test]
fn variables_in_slots_multiplied_by_memory() {
    let locals: [Var<i64>; 20] = std::array::from_fn(|_| Var::local());
    let narrow: [Var<i32>; 20] = std::array::from_fn(|_| Var::local());
    let f = jit()
        .compile(tick!(|x: i64, s: Slice<i64>, t: Slice<i32>| -> i64 {
            for (i, v) in $(locals.iter().enumerate()) { @v = x + $(i as i64); }
            for (i, v) in $(narrow.iter().enumerate()) { @v = (x as i32) + $(i as i32); }
            for (i, v) in $(locals.iter().enumerate()) { @v *= s[$(i % 3)]; }
            for (i, v) in $(narrow.iter().enumerate()) { @v *= t[$(i % 3)]; }
            let mut sum = 0;
            for (v, n) in $(locals.iter().zip(&narrow)) { sum = sum * 3 + @v - (@n as i64); }
            sum
        }))
        .unwrap();
    let (s, t) = ([3, 5, 7], [11, 13, 17]);
    let want = (0..20).fold(0i64, |sum, i| {
        sum.wrapping_mul(3) + (100 + i as i64) * s[i % 3] - i64::from((100 + i as i32) * t[i % 3])
    });
    assert_eq!(f.call(100, &s, &t), want);
}

/// Loads that were part of operations which nobody needs kept the registers of their addresses (linear-scan tier, program 19,636 of
/// seed 20,261,125).
#[test]
fn loads_of_operations_that_nobody_needs() {
    let locals: [Var<i64>; 20] = std::array::from_fn(|_| Var::local());
    let f = jit()
        .compile(tick!(|x: i64, s: Slice<i64>, i: usize| -> i64 {
            for (k, v) in $(locals.iter().enumerate()) { @v = x + $(k as i64); }
            for _ in $(0..10) { let _unused = (x ^ s[i]) + (x & s[i + 1]); }
            let mut sum = s[i];
            for v in $(locals.iter()) { sum = sum * 3 + @v; }
            sum
        }))
        .unwrap();
    assert_eq!(f.call(1, &[5, 6], 0), (0..20).fold(5i64, |sum, k| sum.wrapping_mul(3).wrapping_add(1 + k)));
}

/// The product of a load and a constant kept the register of its address when a constant was loaded next (linear-scan tier, program
/// 41,099,890 of seed 20,261,123).
#[test]
fn products_of_loads_before_constants() {
    const LARGE: i64 = 0x4255_8de7_2102_9910;
    let locals: [Var<i64>; 20] = std::array::from_fn(|_| Var::local());
    let f = jit()
        .compile(tick!(|x: i64, s: Slice<i64>| -> i64 {
            for (k, v) in $(locals.iter().enumerate()) { @v = x + $(k as i64); }
            let mut y = x;
            for _ in $(0..10) {
                y ^= y - s[0] * 26 - LARGE;
                for v in $(locals.iter()) { @v += y; }
            }
            for v in $(locals.iter()) { y = y * 3 + @v; }
            y
        }))
        .unwrap();
    let (mut y, mut sum) = (1i64, 1i64);
    for _ in 0..10 {
        y ^= y.wrapping_sub(5 * 26).wrapping_sub(LARGE);
        sum = sum.wrapping_add(y);
    }
    assert_eq!(f.call(1, &[5]), (0..20).fold(y, |y, k| y.wrapping_mul(3).wrapping_add(sum + k)));
}

/// A load for a comparison whose result nobody wants kept the registers of its address when a constant or a load came next
/// (linear-scan tier, found by review).
#[test]
fn loads_for_comparisons_that_nobody_wants() {
    #[derive(Clone, Copy, Record)]
    #[repr(C)]
    struct Two {
        a: i64,
        b: i64,
    }
    const LARGE: i64 = 0x4255_8de7_2102_9910;
    let locals: [Var<i64>; 20] = std::array::from_fn(|_| Var::local());
    let f = jit()
        .compile(tick!(|x: i64, r: Ref<Two>, s: Slice<i64>, i: usize| -> i64 {
            for (k, v) in $(locals.iter().enumerate()) { @v = x + $(k as i64); }
            let mut y = x;
            for _ in $(0..10) {
                y < r.a;
                y += LARGE;
                y < r.b;
                y += r.a;
                y < s[i];
                y ^= LARGE;
                if (y < r.b) & false { y = 0; }
                y += LARGE;
                for v in $(locals.iter()) { @v += y; }
            }
            for v in $(locals.iter()) { y = y * 3 + @v; }
            y
        }))
        .unwrap();
    let (mut y, mut sum) = (1i64, 1i64);
    for _ in 0..10 {
        y = (y.wrapping_add(LARGE).wrapping_add(5) ^ LARGE).wrapping_add(LARGE);
        sum = sum.wrapping_add(y);
    }
    let want = (0..20).fold(y, |y, k| y.wrapping_mul(3).wrapping_add(sum + k));
    assert_eq!(f.call(1, &Two { a: 5, b: 6 }, &[7, 8], 1), want);
}
