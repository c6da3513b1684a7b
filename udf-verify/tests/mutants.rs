//! Damaged and invented binaries: decoder and verifier neither panic, nor hang, nor allocate beyond the file's size; what they
//! accept runs alike in every engine. `UDF_CASES` and `UDF_SEED` make longer runs.
mod common;

use common::{Engines, assemble, cases, generate, jits, seed};
use fastrand::Rng;
use udf_verify::{Inputs, Limits, Unverified};

/// Changes some bits, bytes, or slots.
fn mutate(rng: &mut Rng, file: &mut Vec<u8>) {
    for _ in 0..rng.u32(1..4) {
        let len = file.len();
        if len < 2 {
            return;
        }
        match rng.u32(..8) {
            0 => file.truncate(rng.usize(..len)),
            1 => file.extend((0..rng.usize(..17)).map(|_| rng.u8(..))),
            2 => {
                let at = rng.usize(..len);
                file[at] = generate::EDGES[rng.usize(..generate::EDGES.len())] as u8;
            }
            3 if len >= 48 => {
                // One slot over another.
                let slots = len / 8;
                let (from, to) = (rng.usize(4..slots) * 8, rng.usize(4..slots) * 8);
                file.copy_within(from..from + 8, to);
            }
            _ => {
                // Mostly in the code, where it is not noticed at once.
                let at = if rng.bool() {
                    rng.usize(..len)
                } else {
                    rng.usize(len.min(32)..=len - 1 + usize::from(len <= 32)).min(len - 1)
                };
                file[at] ^= 1 << rng.u32(..8);
            }
        }
    }
}

#[test]
fn mutants_are_decided() {
    let jits = jits();
    let mut rng = Rng::with_seed(0);
    let total = cases(60_000);
    let (mut accepted, mut ran) = (0u64, 0u64);
    let mut base = Vec::new();
    for case in 0..total {
        if case % 64 == 0 {
            // A seed of its own, so that a failure is found again at once.
            rng = Rng::with_seed(seed() + case);
            let function = assemble(&generate::function(&mut rng));
            base = function.hashed_bytes().expect("sections").to_vec();
        }
        let mut file = base.clone();
        mutate(&mut rng, &mut file);
        let function = Unverified::from_bytes(file);
        let Ok(verified) = function.verify(&Limits::default()) else { continue };
        accepted += 1;
        // Running costs a thousand times as much as verifying.
        if accepted % 16 == 0 && verified.cost() < 20_000 {
            let mut engines = Engines::new(&function, &jits).expect("verified before");
            let len = if verified.header().unit == 0 { 64 } else { verified.header().unit.min(1 << 16) as usize };
            let bytes = generate::bytes(&mut rng, len);
            let run = std::panic::AssertUnwindSafe(|| engines.run(&bytes, &Inputs::default()));
            if std::panic::catch_unwind(run).is_err() {
                let (program, names) = function.decode().expect("decodes");
                panic!(
                    "UDF_SEED={} with {bytes:?}:\n{}",
                    seed() + case / 64 * 64,
                    udf_verify::disassemble(&program, &names)
                );
            }
            ran += 1;
        }
    }
    println!("{accepted} of {total} accepted, {ran} run");
    assert!(accepted > total / 20 && accepted < total, "{accepted} of {total}");
    assert!(ran > 0);
}

#[test]
fn noise_is_rejected() {
    let mut rng = Rng::with_seed(seed());
    for _ in 0..cases(20_000) {
        let mut file = generate::bytes(&mut rng, 32 + 8 * 40);
        // A header that passes, so that the code is looked at.
        file[..8].copy_from_slice(&[0x7f, b'U', b'D', b'F', 1, 0, 0, 0]);
        file[16..24].copy_from_slice(&1000u64.to_le_bytes());
        let slots = rng.u32(1..40);
        file[24..28].copy_from_slice(&0u32.to_le_bytes());
        file[28..32].copy_from_slice(&slots.to_le_bytes());
        file.truncate(32 + 8 * slots as usize);
        let _ = Unverified::from_bytes(file).verify(&Limits::default());
    }
}

#[test]
fn damaged_texts_are_answered() {
    const TEXTS: [&str; 2] = [include_str!("../programs/itable.udf"), include_str!("../programs/extent.udf")];
    const PIECES: [&str; 14] = [
        "\n",
        " ",
        ",",
        "[",
        "(",
        "-",
        "0x",
        "r",
        "\\",
        ".macro m a\n",
        "\n.endm\n",
        "é",
        "<<",
        "18446744073709551615",
    ];
    let mut rng = Rng::with_seed(seed());
    let (mut assembled, mut refused) = (0, 0);
    for _ in 0..cases(1_500) {
        let mut text: Vec<char> = TEXTS[rng.usize(..2)].chars().collect();
        for _ in 0..rng.u32(1..4) {
            let at = rng.usize(..text.len());
            match rng.u32(..3) {
                0 => drop(text.drain(at..(at + rng.usize(..20)).min(text.len()))),
                1 => drop(text.splice(at..at, PIECES[rng.usize(..PIECES.len())].chars())),
                _ => text[at] = char::from(rng.u8(32..127)),
            }
        }
        let text: String = text.into_iter().collect();
        match Unverified::assemble(&text) {
            Ok(function) => {
                assembled += 1;
                if let Err(rejection) = function.verify(&Limits::default()) {
                    assert!(!rejection.to_string().is_empty());
                }
            }
            Err(error) => {
                refused += 1;
                let line = text.lines().nth(error.line() as usize - 1).expect("a line of the text");
                let width = line.chars().count() as u32;
                assert!((1..=width + 1).contains(&error.column()), "{error}");
            }
        }
    }
    assert!(assembled > 0 && refused > 0, "{assembled} {refused}");
}
