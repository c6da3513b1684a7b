//! Random functions: interpreter and compiled code agree, and at each load every register lies in the verifier's interval.
//! `UDF_CASES` and `UDF_SEED` make longer runs.
mod common;

use common::{Engines, assemble, cases, generate, jits, seed};
use fastrand::Rng;
use udf_verify::{Inputs, Status, Verdict, disassemble};

#[test]
fn engines_agree_on_random_functions() {
    let jits = jits();
    let mut rng = Rng::with_seed(seed());
    let (mut accepted, mut verdicts, mut statuses) = (0u64, [0u64; 3], [0u64; 3]);
    let total = cases(4_000);
    for case in 0..total {
        let text = generate::function(&mut rng);
        let function = assemble(&text);
        let Some(mut engines) = Engines::new(&function, &jits) else { continue };
        accepted += 1;
        for load in engines.verified.loads() {
            verdicts[load.verdict as usize] += 1;
        }
        let unit = engines.verified.header().unit as usize;
        for round in 0..4 {
            let len = match (unit, round) {
                (0, _) => rng.usize(..80),
                (_, 0) => rng.usize(..=unit),
                _ => unit + rng.usize(..2) * 8,
            };
            let bytes = generate::bytes(&mut rng, len);
            let inputs = Inputs {
                block: rng.u64(..100),
                unit: rng.bool().then(|| rng.u64(..100)),
                now: rng.u64(..),
                credentials: std::array::from_fn(|_| rng.u64(..10)),
            };
            let run = std::panic::AssertUnwindSafe(|| engines.run(&bytes, &inputs));
            match std::panic::catch_unwind(run) {
                Ok(outcome) => {
                    statuses[match outcome.status {
                        Status::Ok => 0,
                        Status::Fault { .. } => 1,
                        Status::Fail(_) => 2,
                    }] += 1;
                }
                Err(_) => panic!("case {case} with {bytes:?}:\n{text}"),
            }
        }
    }
    println!(
        "{accepted} of {total} accepted; loads {verdicts:?} (proved, checked, unreached); runs {statuses:?} (ok, fault, fail)"
    );
    assert!(accepted * 4 > total, "only {accepted} of {total} verified");
    assert!(verdicts[Verdict::Proved as usize] > 0 && verdicts[Verdict::Checked as usize] > 0);
    assert!(statuses.iter().all(|&n| n > 0), "{statuses:?}");
}

#[test]
fn random_functions_survive_the_round_trip_through_text() {
    let mut rng = Rng::with_seed(seed());
    for _ in 0..cases(500) {
        let function = assemble(&generate::function(&mut rng));
        let (program, names) = function.decode().expect("decodes");
        let text = disassemble(&program, &names);
        let again = assemble(&text);
        assert_eq!(function.hashed_bytes().expect("sections"), again.hashed_bytes().expect("sections"), "{text}");
        let (program, names) = again.decode().expect("decodes");
        assert_eq!(disassemble(&program, &names), text);
    }
}

#[test]
fn what_an_inner_break_leaves_is_left() {
    // Found by a long run: the rest of the round was run although the arm that it had become part of had been left.
    let inner = ["break", "next"];
    let outer = ["break", "next", "ret", "mv r9, 9"];
    let jits = jits();
    for (inner, outer) in inner.into_iter().flat_map(|inner| outer.map(|outer| (inner, outer))) {
        for swapped in [false, true] {
            let arm = format!("if r1 == 2\n{inner}\nend\nown r1, 1, T");
            let (then, els) = if swapped { (outer, arm.as_str()) } else { (arm.as_str(), outer) };
            let comparison = if swapped { ">=" } else { "<" };
            let text = format!(
                ".unit 1\n.type T\nld1le r2, [0]\nloop r1, 6, 6\nif r1 {comparison} r2\n{then}\nelse\n{els}\nend\nown 100, 1, T\n\
                 if r1 == 4\nif r2 == 9\n{inner}\nend\nend\nown 200, 1, T\nend\nown r1, 1, T\nown r9, 1, T"
            );
            let mut engines = Engines::new(&assemble(&text), &jits).expect("verifies");
            for byte in 0..10 {
                engines.run(&[byte], &Inputs::default());
            }
        }
    }
}

#[test]
fn rounds_with_many_ways_to_leave() {
    let jits = jits();
    let mut rng = Rng::with_seed(seed());
    for _ in 0..cases(60) {
        let mut text =
            ".unit 4\n.fuel 1000000\n.type T\nld1le r2, [0]\nld1le r4, [1]\nloop r1, 4, 4\nloop r3, 5, 5\n".to_owned();
        // More than can be nested.
        for n in 0..rng.u32(40..130) {
            let leave = if rng.bool() { "break" } else { "next" };
            let (a, b) = (rng.u32(1..5), rng.u32(0..200));
            let item = match rng.u32(..5) {
                0 => format!("if r{a} == {b}\n{leave}\nend\n"),
                1 => format!("if r{a} == {b}\n{leave}\nelse\nadd r5, r5, {n}\nend\n"),
                2 => format!("if r{a} != {b}\nif r2 == {n}\n{leave}\nend\nadd r5, r5, 1\nend\n"),
                3 => format!(
                    "if r2 == {b}\nadd r5, r5, r1\nelse\nif r4 == {n}\n{leave}\nelse\nmul r5, r5, 3\nend\nend\n"
                ),
                _ => format!("own r5, {n}, T\n"),
            };
            text.push_str(&item);
            if n == 20 {
                text.push_str("end\nif r2 == 7\nnext\nend\nloop r3, 3, 3\n");
            }
        }
        text.push_str("end\nown r3, 1, T\nend\nown r1, 1, T\nown r5, 1, T");
        let mut engines = Engines::new(&assemble(&text), &jits).expect("verifies");
        for _ in 0..10 {
            engines.run(&[rng.u8(..), rng.u8(..130), 0, 0], &Inputs::default());
        }
        engines.run(&[7, 7, 0, 0], &Inputs::default());
    }
}
