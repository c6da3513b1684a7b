//! Deliberate faults, of which tests must find each one: `cargo run --release -p benches --features mutate --bin mutants`.
//!
//! A line that can be made wrong says `fault!(N)`: without the feature `mutate` that is `false`, and nothing is left of it; with it,
//! whether N is the number in the environment variable `TICKC_FAULT`, looked at once per process.
#[cfg(feature = "mutate")]
use std::sync::LazyLock;

/// Whether the line has the fault of this number.
macro_rules! fault {
    ($number:literal) => {{
        #[cfg(feature = "mutate")]
        let fault = crate::fault::is($number);
        #[cfg(not(feature = "mutate"))]
        let fault = false;
        fault
    }};
}

#[cfg(feature = "mutate")]
static FAULT: LazyLock<u32> =
    LazyLock::new(|| std::env::var("TICKC_FAULT").ok().and_then(|n| n.parse().ok()).unwrap_or(0));

/// Whether this process has the fault.
#[cfg(feature = "mutate")]
pub(crate) fn is(number: u32) -> bool {
    *FAULT == number
}

/// Number, file and meaning of each fault.
#[cfg(feature = "mutate")]
pub const FAULTS: &[(u32, &str, &str)] = &[
    (1, "x64/branch.rs", "signed comparisons compared as unsigned"),
    (2, "x64/branch.rs", "a jump that is taken where the condition is true instead of false"),
    (3, "x64/branch.rs", "of two jump lists one is lost where they are merged"),
    (4, "x64/branch.rs", "the false-list is not materialised where a condition becomes a value"),
    (5, "x64/branch.rs", "`!` inverts the code and not the lists"),
    (6, "x64/arith.rs", "an addend of 64 bits cut to 32"),
    (7, "x64/arith.rs", "sums of 8 and 16 bits not extended"),
    (8, "x64/arith.rs", "subtraction taken for commutative: swapped operands"),
    (9, "x64/arith.rs", "the count of a narrow shift masked by one bit too few"),
    (10, "x64/arith.rs", "rcx not saved around a shift by cl"),
    (11, "x64/arith.rs", "a shift to the left by a constant not extended"),
    (12, "x64/arith.rs", "`sarx` where `shrx` is meant and the other way round"),
    (13, "x64/arith.rs", "a product by `lea` without its shift"),
    (14, "x64/division.rs", "no test for a divisor of zero"),
    (15, "x64/division.rs", "no test for MIN / -1"),
    (16, "x64/division.rs", "what lives in rdx is lost in a division"),
    (17, "x64/division.rs", "the upper half of an unsigned dividend not zeroed"),
    (18, "x64/division.rs", "the quotient where the remainder is meant"),
    (19, "x64/division.rs", "the high half of an unsigned product for that of a signed one"),
    (20, "x64/float.rs", "`<` of floats not turned round: true for NaN"),
    (21, "x64/float.rs", "NaN != NaN is false"),
    (22, "x64/float.rs", "large unsigned integers converted as negative ones"),
    (23, "x64/float.rs", "NaN as i64 is MIN instead of 0"),
    (24, "x64/float.rs", "floor for ceil and ceil for floor"),
    (25, "x64/calls.rs", "rsi not saved around a call"),
    (26, "x64/calls.rs", "a register restored from the slot next to its own"),
    (27, "x64/calls.rs", "a narrow result of a C function not extended"),
    (28, "x64/calls.rs", "arguments moved one after the other, not in parallel"),
    (29, "x64/calls.rs", "the status of a call not looked at"),
    (30, "x64/calls.rs", "a slice half in a register, half on the stack"),
    (31, "x64/frame.rs", "locals not zeroed"),
    (32, "x64/frame.rs", "rbx not saved"),
    (33, "x64/frame.rs", "a status left over from the body where there was no trap"),
    (34, "x64/frame.rs", "a trap of another kind"),
    (35, "x64/frame.rs", "recursion without a look at the stack"),
    (36, "x64/frame.rs", "arguments on the stack sought one word too high"),
    (37, "emit/memory.rs", "a constant index checked off by one"),
    (38, "emit/memory.rs", "an index checked off by one"),
    (39, "emit/slices.rs", "the beginning of a part not checked"),
    (40, "emit/ops.rs", "`x == x` false of integers"),
    (41, "emit/ops.rs", "a comparison with a constant on the left not turned round"),
    (42, "emit/fold.rs", "the count of a shift of constants masked to 64 bits"),
    (43, "emit/fold.rs", "constants shifted to the right without their sign"),
    (44, "emit/fold.rs", "MIN / -1 of constants does not trap"),
    (45, "emit/division.rs", "a quotient by a negative power of two not negated"),
    (46, "emit/division.rs", "a negative quotient by a constant rounded down"),
    (47, "emit/division.rs", "the remainder by a power of two masked with the divisor"),
    (48, "emit/control.rs", "`a..=b` ends before b"),
    (49, "emit/unroll.rs", "an unrolled loop without the check for a last short round"),
    (50, "emit/label.rs", "a local first seen behind a label zeroed where it stands"),
    (51, "emit/label.rs", "the jumps before a label do not reach it"),
    (52, "ir/builder.rs", "a branch inverted where a condition becomes a value"),
    (53, "ir/builder.rs", "the displacement of an indexed address lost"),
    (54, "ir/builder.rs", "of two jump lists one is lost"),
    (55, "ir/builder.rs", "what is pinned changes with its variable"),
    (56, "interp/run.rs", "shifts to the right without the sign"),
    (57, "interp/run.rs", "signed comparisons compared as unsigned"),
    (58, "interp/run.rs", "the result of a call stored where the arguments lay"),
    (59, "interp/run.rs", "loads not made canonical"),
    (60, "interp/run.rs", "the trap of a branch as of its opposite"),
];
