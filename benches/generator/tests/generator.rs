//! The generator is not vacuous: every construct of the language is generated, and every way to end occurs.

use std::collections::BTreeSet;

use tickc_generator::ast::Params;
use tickc_generator::engines::{self, Engines};
use tickc_generator::print::source;
use tickc_generator::stats::Statistics;

const EVERYTHING: &str = "\
    I64 I32 U8 F64 F32 U16 I8 Bool U32 U64 I16 Usize Isize \
    Add Sub Mul And Or Xor Div Rem Min Max RemEuclid DivEuclid Shl Shr RotateLeft RotateRight \
    SaturatingAdd SaturatingSub MulHi \
    Neg Not Abs SwapBytes Signum Sqrt Floor Ceil Trunc Round RoundTiesEven CountOnes CountZeros CountLeading CountTrailing \
    Eq Ne Lt Le Gt Ge AddAssign SubAssign MulAssign AndAssign OrAssign XorAssign DivAssign RemAssign ShlAssign ShrAssign \
    Const Var Bin Twice Un Count Cast Cmp Multiple IsNan ToBits FromBits If Match Block Let LoopValue Read Len \
    Call DynCall CallOwn Bare IfConst MatchConst Table Fragment ReturnIf GotoIf \
    VarWrite VarUpdate ItemRead ItemWrite ItemUpdate PartRead PartWrite PartUpdate FieldRead FieldWrite FieldUpdate \
    ElementRead ElementWrite ElementUpdate RowRead RowWrite RowUpdate \
    RawAddRead RawAddWrite RawAddUpdate RawOffsetRead RawOffsetWrite RawOffsetUpdate RawVolatileRead RawVolatileWrite \
    RawUnalignedRead RawUnalignedWrite RawSwappedRead RawSwappedWrite \
    Native Compiled Host DynNative DynCompiled DynHost \
    Assign AssignOp While Loop For ForUnrolled ForVar ForLen Unroll Labelled Return Log \
    Region BlockSegment LoopSegment ArmSegment Goto JumpTable \
    Discard Trap";

#[test]
fn every_construct_and_every_end_occurs() {
    engines::with_deep_stack(|| {
        let engines = Engines::new().unwrap();
        let mut statistics = Statistics::default();
        for i in 0..500 {
            let program = engines::program(3, i);
            let outcomes = engines.check(&program).unwrap_or_else(|difference| panic!("program {i}: {difference:?}"));
            statistics.add(&program, &outcomes);
        }
        let count = |name: &str| statistics.counts().filter(|c| c.0 == name).map(|c| c.1).sum::<u64>();
        for name in EVERYTHING.split_whitespace() {
            assert!(count(name) >= 3, "{name} occurs {} times\n{statistics}", count(name));
        }
        for name in ["division by zero", "division overflow", "index out of bounds", "trap(code)", "panic of a closure"]
        {
            assert!(count(name) >= 3, "{name} occurs {} times\n{statistics}", count(name));
        }
        // Most programs come to their end.
        assert!(count("value") > 500 * 5 / 2, "{statistics}");
    });
}

#[test]
fn the_same_seed_makes_the_same_programs() {
    let text = |seed, number| format!("{:?}", engines::program(seed, number));
    assert_eq!(text(5, 9), text(5, 9));
    assert_ne!(text(5, 9), text(5, 10));
    assert_ne!(text(5, 9), text(6, 9));
}

/// The programs in `printed.txt`, which `printed.rs` compiles, are printed as they were.
///
/// `TICKC_BLESS=1 cargo test -p tickc-generator --test generator` chooses programs anew, and writes them.
#[test]
fn programs_are_printed_as_they_were() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/printed.txt");
    let print = |number: u64| source(&engines::program(7, number), &format!("p{number}"));
    engines::with_deep_stack(|| {
        if std::env::var_os("TICKC_BLESS").is_some() {
            let numbers = chosen();
            let list: String = numbers.iter().map(|number| format!(" p{number} {number}")).collect();
            let printed = numbers.into_iter().map(print).collect::<Vec<_>>().join("\n");
            std::fs::write(path, format!("{printed}\nprograms!({list} );\n")).expect("the file is written");
            return;
        }
        let file = std::fs::read_to_string(path).expect("the file is there");
        let numbers = file.lines().filter_map(|line| line.strip_prefix("fn p")?.strip_suffix('(')?.parse().ok());
        let printed = numbers.map(print).collect::<Vec<_>>().join("\n");
        assert!(file.starts_with(&printed) && printed.len() > 10_000, "printed.txt is out of date");
    });
}

/// Programs that together have nearly every construct, none of them long, all with the shorter list of parameters.
fn chosen() -> Vec<u64> {
    let mut seen = BTreeSet::new();
    let mut numbers = Vec::new();
    for number in 0..20_000 {
        let program = engines::program(7, number);
        if program.params != Params::Few || source(&program, "p").len() > 12_000 {
            continue;
        }
        let mut statistics = Statistics::default();
        statistics.add(&program, &Vec::new());
        let new = statistics.counts().filter(|(name, _)| !seen.contains(*name)).count();
        // Later ones for what is rare.
        if new > 12 - (number / 500).min(11) as usize {
            seen.extend(statistics.counts().map(|(name, _)| name.to_owned()));
            numbers.push(number);
        }
    }
    numbers
}
