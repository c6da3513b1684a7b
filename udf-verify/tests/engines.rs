//! Random functions: interpreter and compiled code agree, and at each load every register lies in the verifier's interval.
//! `UDF_CASES` and `UDF_SEED` make longer runs.
mod common;

use common::{Engines, assemble, cases, generate, seed};
use fastrand::Rng;
use tickc::Jit;
use udf_verify::{Inputs, Status, Verdict, disassemble};

#[test]
fn engines_agree_on_random_functions() {
    let jit = Jit::new().expect("a JIT");
    let mut rng = Rng::with_seed(seed());
    let (mut accepted, mut verdicts, mut statuses) = (0u64, [0u64; 3], [0u64; 3]);
    let total = cases(4_000);
    for case in 0..total {
        let text = generate::function(&mut rng);
        let function = assemble(&text);
        let Some(mut engines) = Engines::new(&function, &jit) else { continue };
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
