//! The forty hostile programs: each is rejected with an exact diagnostic, or contained with an exact result in every engine.
mod common;

use std::sync::atomic::{AtomicU8, Ordering};

use tickc::Jit;

use common::{Engines, assemble, jits};
use udf_verify::{FaultCode, Inputs, Limits, Names, Outcome, Rejection, Rule, Status, Unverified};

const HEADER: usize = 32;

fn rejected_file(file: Vec<u8>) -> Rejection {
    Unverified::from_bytes(file).verify(&Limits::default()).expect_err("hostile")
}

fn rejected(text: &str) -> Rejection {
    assemble(text).verify(&Limits::default()).expect_err(text)
}

/// Rule, message, line and column, first words of the suggestion.
#[track_caller]
fn assert_rejected(text: &str, rule: Rule, message: &str, line: Option<(u32, u32)>) {
    let rejection = rejected(text);
    assert_eq!((rejection.rule(), rejection.message(), rejection.line()), (rule, message, line));
    assert!(!rejection.suggestion().is_empty());
}

#[track_caller]
fn assert_file_rejected(file: Vec<u8>, rule: Rule, message: &str, slot: Option<u32>) {
    let rejection = rejected_file(file);
    assert_eq!((rejection.rule(), rejection.message(), rejection.slot()), (rule, message, slot));
}

/// The outcome, the same in every engine.
#[track_caller]
fn run_with(text: &str, bytes: &[u8], inputs: &Inputs) -> Outcome {
    let jits = jits();
    let function = assemble(text);
    match Engines::new(&function, &jits) {
        Some(mut engines) => engines.run(bytes, inputs),
        None => panic!("{}", rejected(text)),
    }
}

#[track_caller]
fn run(text: &str, bytes: &[u8]) -> Outcome {
    run_with(text, bytes, &Inputs::default())
}

#[track_caller]
fn values(text: &str, bytes: &[u8]) -> Vec<u64> {
    let outcome = run(text, bytes);
    assert_eq!(outcome.status, Status::Ok);
    outcome.tuples.iter().map(|tuple| tuple.start).collect()
}

fn load_fault(place: u32) -> Status {
    Status::Fault { code: FaultCode::Load, place }
}

/// The hashed part of what the text assembles to.
fn binary(text: &str) -> Vec<u8> {
    assemble(text).hashed_bytes().expect("sections").to_vec()
}

/// A file with these words of code, after a header for `types` types.
fn file(types: &[(u32, u32)], slots: &[[u8; 8]]) -> Vec<u8> {
    let mut file = binary(".unit 8");
    file[24..28].copy_from_slice(&(types.len() as u32).to_le_bytes());
    file[28..32].copy_from_slice(&(slots.len() as u32).to_le_bytes());
    for (group, member) in types {
        file.extend(group.to_le_bytes());
        file.extend(member.to_le_bytes());
    }
    file.extend(slots.as_flattened());
    file
}

const RET: [u8; 8] = [0x51, 0, 0x20, 0x20, 0, 0, 0, 0];

#[test]
fn h01_truncated_last_instruction() {
    let mut short = file(&[], &[RET, RET]);
    short.truncate(short.len() - 3);
    assert_file_rejected(short, Rule::Length, "the header promises 48 bytes, the file has 45", None);
    assert_file_rejected(vec![0x7f; 31], Rule::Header, "the file has 31 bytes, a header has 32", None);
    assert_file_rejected(Vec::new(), Rule::Header, "the file has 0 bytes, a header has 32", None);
    assert_file_rejected(vec![0x7f; 64], Rule::Magic, "the file does not start with 7f 55 44 46", None);
}

#[test]
fn h02_trailing_bytes() {
    let mut long = file(&[], &[RET]);
    long.push(0);
    assert_file_rejected(long, Rule::Length, "the header promises 40 bytes, the file has 41", None);
    // Behind the names, too.
    let mut long = assemble("ret").bytes().to_vec();
    long.push(0);
    assert_eq!(rejected_file(long).rule(), Rule::Length);
}

#[test]
fn h03_huge_counts_in_a_tiny_file() {
    for at in [24, 28] {
        let mut tiny = file(&[], &[]);
        tiny[at..at + 4].fill(0xff);
        assert_file_rejected(tiny, Rule::Length, "the header promises 34,359,738,392 bytes, the file has 32", None);
    }
    let mut tiny = file(&[], &[]);
    tiny[24..32].fill(0xff);
    assert_file_rejected(tiny, Rule::Length, "the header promises 68,719,476,752 bytes, the file has 32", None);
}

#[test]
fn h04_reserved_bits_and_immediates_that_are_not_canonical() {
    let reserved = "is reserved here and must be zero";
    let ret_with_a = [0x51, 1, 0x20, 0x20, 0, 0, 0, 0];
    let ret_with_imm = [0x51, 0, 0x20, 0x20, 0, 0, 0, 1];
    let mv_with_imm = [0x02, 1, 2, 0x20, 1, 0, 0, 0];
    assert_file_rejected(file(&[], &[RET, ret_with_a]), Rule::Reserved, &format!("the field `a` {reserved}"), Some(1));
    for slot in [ret_with_imm, mv_with_imm] {
        let message = format!("the immediate field {reserved}");
        assert_file_rejected(file(&[], &[RET, slot]), Rule::Reserved, &message, Some(1));
    }
    let canonical = "the immediate is not in its canonical place";
    let mv_wide = [0x02, 1, 0x80, 0x20, 0, 0, 0, 0];
    let five = 5u64.to_le_bytes();
    assert_file_rejected(file(&[], &[mv_wide, five]), Rule::Canonical, canonical, Some(0));
    // The second of two immediates has a slot of its own.
    let add_narrow_twice = [0x10, 1, 0x40, 0x40, 5, 0, 0, 0];
    assert_file_rejected(file(&[], &[add_narrow_twice]), Rule::Canonical, canonical, Some(0));
    let ret_with_x = [0x51, 0, 0x40, 0x20, 0, 0, 0, 0];
    let message = "the first operand is 0x40, which the instruction cannot have";
    assert_file_rejected(file(&[], &[ret_with_x]), Rule::Operand, message, Some(0));
    let mut flags = file(&[], &[RET]);
    flags[7] = 0x80;
    assert_file_rejected(flags, Rule::Flags, "unknown flags in 0x80", None);
    let mut flags = file(&[], &[RET]);
    flags[7] = 2;
    let message = "the flags are 0x02, but what the function reads makes them 0x00";
    assert_file_rejected(flags, Rule::Flags, message, None);
    let mut kind = file(&[], &[RET]);
    kind[6] = 3;
    assert_file_rejected(kind, Rule::Kind, "no kind of function has the number 3", None);
}

#[test]
fn h05_unknown_opcodes_and_later_rule_versions() {
    let unknown = [0x60, 0, 0, 0, 0, 0, 0, 0];
    let message = "no instruction of rule version 1 has the opcode 0x60";
    assert_file_rejected(file(&[], &[RET, unknown]), Rule::Opcode, message, Some(1));
    let message = "no instruction of rule version 1 has the opcode 0x00";
    assert_file_rejected(file(&[], &[[0; 8]]), Rule::Opcode, message, Some(0));
    let mut later = file(&[], &[RET]);
    later[4] = 2;
    assert_file_rejected(later, Rule::Version, "rule version 2 is not known, only 1", None);
}

#[test]
fn h06_the_second_slot_of_li_is_missing() {
    let li = [0x01, 1, 0x80, 0x20, 0, 0, 0, 0];
    assert_file_rejected(file(&[], &[RET, li]), Rule::Truncated, "the code ends within the instruction", Some(1));
}

#[test]
fn h07_register_32() {
    for slot in [[0x02, 32, 1, 0x20, 0, 0, 0, 0], [0x10, 1, 2, 33, 0, 0, 0, 0], [0x02, 255, 1, 0x20, 0, 0, 0, 0]] {
        let number = slot.into_iter().find(|&b| b > 32 || slot[1] == 32 && b == 32).expect("the register");
        let message = format!("there is no register {number}");
        assert_file_rejected(file(&[], &[slot]), Rule::Register, &message, Some(0));
    }
    let error = Unverified::assemble("mv r32, 1").expect_err("hostile");
    assert_eq!(error.message(), "there is no register r32");
}

const OWN_FIRST: [u8; 8] = [0x50, 0, 1, 2, 0, 0, 0, 0];

#[test]
fn h08_type_lists() {
    let message = "type 1 is member 4 of the group, which is in the list already";
    assert_file_rejected(file(&[(0, 4), (0, 4)], &[RET]), Rule::TypeList, message, None);
    let message = "type 2 is member 4 of the group, which is in the list already";
    assert_file_rejected(file(&[(0, 4), (0, 5), (0, 4)], &[RET]), Rule::TypeList, message, None);
    let message = "type 1 has a lower member than the one before it";
    assert_file_rejected(file(&[(0, 4), (0, 3)], &[RET]), Rule::TypeList, message, None);
    let message = "`own` names a type, but the list of types is empty";
    assert_file_rejected(file(&[], &[OWN_FIRST]), Rule::TypeIndex, message, Some(0));
    let past = [0x50, 2, 1, 2, 0, 0, 0, 0];
    let message = "`own` names type 2, but the list has 2";
    assert_file_rejected(file(&[(0, 4), (0, 5)], &[RET, past]), Rule::TypeIndex, message, Some(1));
    let many: Vec<(u32, u32)> = (0..257).map(|member| (0, member)).collect();
    assert_file_rejected(file(&many, &[]), Rule::Size, "the function names 257 types, the limit is 256", None);
}

#[test]
fn h09_a_type_of_another_group() {
    let message = "type 1 is of group 7, the function of group 0";
    assert_file_rejected(file(&[(0, 4), (7, 5)], &[OWN_FIRST]), Rule::ForeignType, message, None);
}

#[test]
fn h10_no_instructions_own_nothing() {
    for text in ["", ".kind owns\n.unit 4096", ".type DATA"] {
        let outcome = run(text, &[0; 4096]);
        assert_eq!((outcome.status, outcome.tuples.len()), (Status::Ok, 0));
    }
}

#[test]
fn h11_absurd_names_and_lines_change_nothing() {
    let good = binary(".unit 8\n.type A\nld8le r1, [1]");
    let expected = rejected_file(good.clone());
    let section = |payload: &[u8]| {
        let len = (payload.len() as u32).to_le_bytes();
        [b"udfnames", &len[..], payload].concat()
    };
    let absurd = Names {
        lines: vec![(0, u32::MAX, u32::MAX), (u32::MAX, 0, 0)],
        types: vec!["\n\0".repeat(1000), "own".to_owned()],
        source: "\u{202e}".repeat(100),
    };
    let sections =
        [section(&[]), section(&[0xff; 4]), section(&[0xff; 64]), section(&[1, 0, 0, 0, 9]), absurd.encode()];
    for names in sections {
        let function = Unverified::from_bytes([&good[..], &names].concat());
        assert_eq!(function.hashed_bytes().expect("sections"), good, "the hash is about the same bytes");
        let rejection = function.verify(&Limits::default()).expect_err("hostile");
        assert_eq!((rejection.rule(), rejection.slot()), (expected.rule(), expected.slot()));
        let _ = rejection.to_string();
        let (program, names) = function.decode().expect("decodes");
        assert!(udf_verify::disassemble(&program, &names).contains(".type type0 = 0\n"));
    }
}

#[test]
fn h12_unmatched_end() {
    assert_rejected("ret\nend", Rule::Unmatched, "`end` without a block that is open", Some((2, 1)));
    assert_rejected("else", Rule::Unmatched, "`else` without a block that is open", Some((1, 1)));
    assert_rejected("if 1 == 1\nend\nend", Rule::Unmatched, "`end` without a block that is open", Some((3, 1)));
}

#[test]
fn h13_unterminated_blocks() {
    assert_rejected("\n  loop r1, 2, 2\nif r1 == 1\nend", Rule::Unterminated, "this `loop` has no `end`", Some((2, 3)));
    assert_rejected("if r1 == 1\nelse", Rule::Unterminated, "this `if` has no `end`", Some((1, 1)));
}

#[test]
fn h14_second_else() {
    let text = "if r1 == 1\nelse\nelse\nend";
    assert_rejected(text, Rule::Else, "a second `else` of the `if` of line 1", Some((3, 1)));
    assert_rejected("loop r1, 1, 1\nelse\nend", Rule::Else, "`else` in the loop of line 1", Some((2, 1)));
}

#[test]
fn h15_break_outside_a_loop() {
    assert_rejected("break", Rule::OutsideLoop, "`break` outside any loop", Some((1, 1)));
    let text = "loop r1, 1, 1\nend\nif r1 == 1\nnext\nend";
    assert_rejected(text, Rule::OutsideLoop, "`next` outside any loop", Some((4, 1)));
}

#[test]
fn h16_nesting() {
    let nested = |depth: usize| format!("{}{}", "if r1 == 0\n".repeat(depth), "end\n".repeat(depth));
    assert_eq!(run(&nested(16), &[]).status, Status::Ok);
    let message = "blocks nest more than 16 deep here";
    assert_rejected(&nested(17), Rule::Depth, message, Some((17, 1)));
    // A million: within the limit of a system that allows so much code, and still no recursion.
    let file = file(&[], &vec![[0x41, 0, 1, 0x40, 0, 0, 0, 0]; 1_000_000]);
    let limits = Limits { slots: u32::MAX, ..Limits::default() };
    let rejection = Unverified::from_bytes(file.clone()).verify(&limits).expect_err("hostile");
    assert_eq!((rejection.rule(), rejection.slot()), (Rule::Depth, Some(16)));
    assert_file_rejected(file, Rule::Size, "the code has 1,000,000 slots, the limit is 65,536", None);
}

#[test]
fn h17_writes_to_a_live_counter() {
    let message = "r1 counts the loop of line 2 and cannot be written in it";
    for write in ["mv r1, 0", "add r1, r1, 1", "ld1le r1, [0]", "loop r1, 1, 1\nend"] {
        let text = format!(".unit 1\nloop r1, 4, 4\nif r2 == 0\n{write}\nend\nend");
        assert_rejected(&text, Rule::Counter, message, Some((4, 1)));
    }
    assert_eq!(rejected(".kind acl\nloop r1, 4, 4\nloop r2, 2, 2\nnow r1\nend\nend").rule(), Rule::Counter);
}

#[test]
fn h18_an_inner_loop_that_counts_by_the_outer_counter() {
    let text = ".type T\nloop r1, 4, 4\nloop r2, r1, 4\nadd r3, r3, 1\nend\nend\nown r3, 1, T";
    assert_eq!(values(text, &[]), [6]);
}

#[test]
fn h19_the_largest_max() {
    let message = "worst case 2^64-1 or more > limit 1,000,000; the loop at line 1 is nearly all of it";
    let text = "loop r1, 3, 0xffffffffffffffff\nmv r2, 1\nend";
    assert_rejected(text, Rule::Cost, message, Some((1, 1)));
}

#[test]
fn h20_eight_nested_loops() {
    let text: String = (1..=8).map(|n| format!("loop r{n}, 256, 256\n")).collect::<String>() + &"end\n".repeat(8);
    let message = "worst case 2^64-1 or more > limit 16,777,216; the loop at line 2 is nearly all of it";
    assert_rejected(&format!(".fuel 16777216\n{text}"), Rule::Cost, message, Some((2, 1)));
}

#[test]
fn h21_cost_exactly_the_fuel() {
    // 1 for each instruction; loop: 5 × (body + 1), body: if 1 + larger arm 2.
    let body = "mv r1, 1\nloop r2, 5, 5\nif r2 == 1\nmv r1, 2\nelse\nmv r1, 2\nmv r1, 3\nend\nend\nret";
    let verified = assemble(&format!(".fuel 23\n{body}")).verify(&Limits::default()).expect("exactly the fuel");
    assert_eq!(verified.cost(), 23);
    let message = "worst case 23 > limit 22; the loop at line 3 is 91 % of it";
    assert_rejected(&format!(".fuel 22\n{body}"), Rule::Cost, message, Some((3, 1)));
    assert_rejected(".fuel 1\nmv r1, 1\nmv r1, 2", Rule::Cost, "worst case 2 > limit 1", None);
}

#[test]
fn h22_an_empty_body() {
    let message = "worst case 1,000,000,001 > limit 16,777,216; the loop at line 2 is 100 % of it";
    assert_rejected(".fuel 16777216\nloop r1, 1, 1000000000\nend", Rule::Cost, message, Some((2, 1)));
}

#[test]
fn h23_fuel_above_the_cap() {
    let message = "the fuel is 16,777,217, the system allows 16,777,216";
    assert_rejected(".fuel 16777217\nret", Rule::FuelCap, message, None);
}

#[test]
fn h24_a_count_above_max() {
    let text = ".unit 1\n.type T\nown 1, r0, T\nld1le r1, [0]\nloop r2, r1, 4\nend\nown r2, 1, T";
    assert_eq!(values(text, &[4]), [4]);
    let outcome = run(text, &[5]);
    assert_eq!(outcome.status, Status::Fault { code: FaultCode::Loop, place: 2 });
    assert!(outcome.tuples.is_empty());
    assert_eq!(run("loop r1, 5, 4\nend", &[]).status, Status::Fault { code: FaultCode::Loop, place: 0 });
}

#[test]
fn h25_a_count_changed_in_the_body_is_read_once() {
    let text = ".type T\nmv r2, 3\nloop r1, r2, 9\nmv r2, 0\nadd r3, r3, 1\nend\nown r3, 1, T";
    assert_eq!(values(text, &[]), [3]);
}

#[test]
fn h26_a_hundred_million_tuples() {
    let text = ".fuel 16777216\n.type T\nloop r1, 1100000, 1100000\nown r1, 1, T\nend";
    let message = "worst case 1,100,000 tuples > limit 1,048,576; the loop at line 3 is 100 % of it";
    assert_rejected(text, Rule::Tuples, message, Some((3, 1)));
    let text = ".fuel 16777216\n.type T\nloop r1, 10000, 10000\nloop r2, 10000, 10000\nown r1, 1, T\nend\nend";
    let message = "worst case 200,020,001 > limit 16,777,216; the loop at line 3 is 100 % of it";
    assert_rejected(text, Rule::Cost, message, Some((3, 1)));
}

#[test]
fn h27_the_last_eight_bytes() {
    // The base comes from the bytes, so nothing is known of it beforehand.
    let text = ".unit 64\n.type T\nld1le r1, [0]\nld8le r2, [r1]\nown r2, 1, T";
    let mut bytes = [0; 64];
    bytes[0] = 56;
    bytes[63] = 1;
    assert_eq!(values(text, &bytes), [1 << 56]);
    bytes[0] = 57;
    assert_eq!(run(text, &bytes).status, load_fault(1));
    // As a constant it is known to fault.
    let rejection = rejected(".unit 64\nld8le r2, [57]");
    assert_eq!((rejection.rule(), rejection.message()), (Rule::CertainFault, "this load lies outside the unit"));
    assert_eq!(rejection.notes(), ["it reads 8 at [57]; the unit has 64 bytes"]);
    assert_eq!(values(".unit 64\n.type T\nld8le r2, [56]\nown r2, 1, T", &bytes), [1 << 56]);
}

#[test]
fn h28_an_address_does_not_wrap() {
    let text = ".unit 16\n.type T\nld8le r1, [0]\nld4le r2, [r1 + 8]\nown r2, 1, T";
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(u64::MAX - 3).to_le_bytes());
    assert_eq!(run(text, &bytes).status, load_fault(1));
    bytes[..8].copy_from_slice(&0u64.to_le_bytes());
    bytes[8] = 9;
    assert_eq!(values(text, &bytes), [9]);
    // Without a unit, too.
    bytes[..8].copy_from_slice(&(u64::MAX - 3).to_le_bytes());
    assert_eq!(run(&text.replace(".unit 16", ""), &bytes).status, load_fault(1));
    let rejection = rejected(".unit 16\nli r1, 0xfffffffffffffffc\nld4le r2, [r1 + 8]");
    assert_eq!((rejection.rule(), rejection.line()), (Rule::CertainFault, Some((3, 1))));
    assert_eq!(
        rejection.notes(),
        [
            "it reads 4 at [r1 + 8]; the unit has 16 bytes",
            "r1 is 18446744073709551612",
            "because of line 2: `li r1, -4`"
        ]
    );
}

#[test]
fn h29_an_address_below_zero() {
    for unit in [".unit 16", ""] {
        for address in ["[-8]", "[r0 - 8]"] {
            let rejection = rejected(&format!("{unit}\nld4le r2, {address}"));
            assert_eq!((rejection.rule(), rejection.line()), (Rule::CertainFault, Some((2, 1))));
        }
    }
    let rejection = rejected(".unit 16\n\tld4le r2, [r0 - 8]");
    let expected = "\
rejected[B01]: this load always lies outside the unit
 --> line 2, column 2
  |
2 | \tld4le r2, [r0 - 8]
  | \t^
  = it reads 4 at [r0 - 8]; the unit has 16 bytes
  = r0 is 0
  = because r0 is zero at the start and was not written since
  = help: correct the address, or `.unit`";
    assert_eq!(rejection.to_string(), expected);
    // An address that only may lie below zero is checked.
    let text = ".unit 16\n.type T\nld1le r1, [0]\nld4le r2, [r1 - 8]\nown r2, 1, T";
    assert_eq!(run(text, &[7; 16]).status, load_fault(1));
    assert_eq!(run(text, &[8; 16]).tuples[0].start, 0x0808_0808);
    assert_eq!(run(text, &[21; 16]).status, load_fault(1));
    assert_eq!(run(&text.replace(".unit 16", ""), &[7; 16]).status, load_fault(1));
}

#[test]
fn h30_bytes_shorter_than_the_unit() {
    let short = Status::Fault { code: FaultCode::Short, place: 0 };
    let text = ".unit 16\n.type T\nown 1, 1, T\nld4le r2, [8]";
    for len in [0, 1, 15] {
        assert_eq!(run(text, &vec![0; len]).status, short);
    }
    // What lies behind a unit is not looked at.
    let text = ".unit 16\n.type T\nld1le r1, [0]\nld1le r2, [r1]";
    assert_eq!(run(text, &[16; 32]).status, load_fault(1));
}

#[test]
fn h31_a_pointer_that_leaves_in_the_last_round() {
    let text = |rounds: u32| {
        format!(".unit 64\n.strict\n.type T\nloop r1, {rounds}, {rounds}\nld8le r2, [r3]\nadd r3, r3, 8\nend")
    };
    assert_eq!(run(&text(8), &[0; 64]).status, Status::Ok);
    let rejection = rejected(&text(9));
    assert_eq!((rejection.rule(), rejection.line()), (Rule::Strict, Some((5, 1))));
    assert_eq!(rejection.notes()[1], "r3 is 0..=64 in steps of 8");
    // One that wraps.
    let start = u64::MAX - 6 * 8 + 1;
    let text = format!(".unit 64\nli r3, {start}\nloop r1, 7, 7\nld8le r2, [r3 + 48]\nadd r3, r3, 8\nend");
    let rejection = rejected(&format!(".strict\n{text}"));
    assert_eq!(rejection.rule(), Rule::Strict);
    assert_eq!(run(&text, &[0; 64]).status, load_fault(4));
}

#[test]
fn h32_a_proof_ends_with_its_block() {
    use udf_verify::Verdict::{Checked, Proved};
    let text = ".unit 64\nld1le r1, [0]\nif r1 < 57\nld8le r2, [r1]\nend\nld8le r2, [r1]\nld8le r2, [r1]";
    let verified = assemble(text).verify(&Limits::default()).expect("verifies");
    let verdicts: Vec<_> = verified.loads().iter().map(|load| load.verdict).collect();
    // The last one is proved by the check before it.
    assert_eq!(verdicts, [Proved, Proved, Checked, Proved]);
    assert_eq!(run(text, &[57; 64]).status, load_fault(4));
    let text = ".unit 64\nld1le r1, [0]\nif r1 >= 57\nfail 1\nend\nld8le r2, [r1]";
    assert_eq!(assemble(text).verify(&Limits::default()).expect("verifies").loads()[1].verdict, Proved);
}

#[test]
fn h33_right_for_one_width_and_wrong_for_a_wider_one() {
    use udf_verify::Verdict::{Checked, Proved};
    for (width, verdict) in [(1, Proved), (2, Proved), (4, Proved), (8, Checked)] {
        let text = format!(".unit 64\nld1le r1, [0]\nif r1 <= 60\nld{width}be r2, [r1]\nend");
        let verified = assemble(&text).verify(&Limits::default()).expect("verifies");
        assert_eq!(verified.loads()[1].verdict, verdict, "width {width}");
        let expected = if width == 8 { load_fault(2) } else { Status::Ok };
        assert_eq!(run(&text, &[60; 64]).status, expected);
    }
}

#[test]
fn h34_no_bytes_at_all() {
    assert_eq!(run("ld1le r1, [0]", &[]).status, load_fault(0));
    assert_eq!(run("ld8be r1, [r2 + 5]", &[]).status, load_fault(0));
    assert_eq!(run(".unit 1\nret", &[]).status, Status::Fault { code: FaultCode::Short, place: 0 });
    assert_eq!(run("ret", &[]).status, Status::Ok);
}

#[test]
fn h35_what_would_not_be_deterministic() {
    let message = "`now` in a function of kind owns, which must be deterministic";
    assert_rejected("now r1", Rule::NotForKind, message, Some((1, 1)));
    let message = "`cred` in a function of kind owns, which must be deterministic";
    assert_rejected("cred r1, 0", Rule::NotForKind, message, Some((1, 1)));
    let error = Unverified::assemble("arg r1, 2").expect_err("hostile");
    assert_eq!(error.message(), "the argument's number is 2: it must be 0 to 1");
    let arg_2 = [0x30, 1, 0x40, 0x20, 2, 0, 0, 0];
    assert_file_rejected(file(&[], &[RET, arg_2]), Rule::Number, "there is no argument 2", Some(1));
    let inputs = Inputs { now: 77, credentials: [5; 8], ..Inputs::default() };
    let text = ".kind acl\n.type T\nnow r1\ncred r2, 7\nown r1, r2, T";
    let outcome = run_with(text, &[], &inputs);
    assert_eq!((outcome.tuples[0].start, outcome.tuples[0].count), (77, 5));
}

#[test]
fn h36_arithmetic_is_total() {
    let counts = [0u64, 1, 63, 64, 65, 1 << 63];
    for x in [0u64, 1, 7, 1 << 63, u64::MAX] {
        for y in counts {
            // As registers that nothing is known of, and as constants.
            let text = |x: &str, y: &str| {
                let ops =
                    ["div", "rem", "shl", "shr", "mul", "sub"].map(|op| format!("{op} r3, {x}, {y}\nown r3, 1, T"));
                format!(".unit 16\n.type T\nld8le r1, [0]\nld8le r2, [8]\n{}", ops.join("\n"))
            };
            let bytes = [x.to_le_bytes(), y.to_le_bytes()].concat();
            let expected = [
                x.checked_div(y).unwrap_or(0),
                x.checked_rem(y).unwrap_or(x),
                x << (y % 64),
                x >> (y % 64),
                x.wrapping_mul(y),
                x.wrapping_sub(y),
            ];
            let (cx, cy) = (x.to_string(), y.to_string());
            for text in [text("r1", "r2"), text("r1", &cy), text(&cx, "r2"), text(&cx, &cy)] {
                assert_eq!(values(&text, &bytes), expected, "{text}");
            }
        }
    }
}

#[test]
fn h37_registers_read_before_they_are_written() {
    let all: String = (0..32).map(|r| format!("own r{r}, 1, T\n")).collect();
    assert_eq!(values(&format!(".type T\n{all}"), &[]), [0; 32]);
    let late = ".type T\nloop r1, 3, 3\nif r1 == 2\nown r9, 1, T\nmv r9, 5\nend\nend\nown r9, 1, T";
    assert_eq!(values(late, &[]), [0, 5]);
}

#[test]
fn h38_nothing_is_left_over() {
    jits().iter().for_each(nothing_is_left_over);
}

fn nothing_is_left_over(jit: &Jit) {
    let text = ".unit 1\n.type T\nadd r1, r1, 1\nown r1, 1, T\nown r2, 1, T\nld1le r2, [0]\nif r2 > 2\nfail 3\nend\nloop r3, r2, 1\nend";
    let compiled = assemble(text).verify(&Limits::default()).expect("verifies").compile(jit).expect("compiles");
    let mut output = udf_verify::Output::default();
    let mut call = |byte: u8| (compiled.run_into(&[byte], &Inputs::default(), &mut output), output.tuples().to_vec());
    let first = call(1);
    assert_eq!(first.0, Status::Ok);
    for (byte, status) in
        [(2, Status::Fault { code: FaultCode::Loop, place: 7 }), (9, Status::Fail(3)), (0, Status::Ok), (1, Status::Ok)]
    {
        let (found, tuples) = call(byte);
        assert_eq!(found, status);
        assert_eq!(tuples, if status == Status::Ok { first.1.clone() } else { Vec::new() });
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for byte in (0..200).map(|n| n % 10) {
                    let outcome = compiled.run(&[byte], &Inputs::default());
                    assert_eq!(outcome.tuples.is_empty(), byte > 1);
                }
            });
        }
    });
}

#[test]
fn h39_bytes_that_another_thread_changes() {
    // A run takes `&[u8]`: bytes that change can only be given as a snapshot, and the snapshot rules.
    let jits = jits();
    let text = ".unit 64\n.type T\nloop r1, 56, 56\nld8le r2, [r1]\nld8le r3, [r1]\nxor r2, r2, r3\nown 1, r2, T\nend";
    let mut engines = Engines::new(&assemble(text), &jits).expect("verifies");
    let shared: Vec<AtomicU8> = (0..64).map(AtomicU8::new).collect();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                shared[n % 64].store(n as u8, Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for _ in 0..200 {
            let snapshot: Vec<u8> = shared.iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
            let outcome = engines.run(&snapshot, &Inputs::default());
            assert_eq!((outcome.status, outcome.tuples.len()), (Status::Ok, 0), "two loads of one place differ");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn h40_code_that_is_large_or_full_of_gadgets() {
    // Every immediate a `ret`, a `syscall`, an `int 3`: no more than numbers.
    let gadgets = [0xc3c3_c3c3_c3c3_c3c3u64, 0x050f_050f_050f_050f, 0xcccc_cccc_cccc_cccc, 0x0000_00c3_050f_c031];
    let text: String = gadgets.iter().map(|g| format!("xor r1, r1, {g}\nadd r2, r2, {}\n", *g as u32 >> 1)).collect();
    let expected = gadgets.iter().fold((0, 0), |(x, s), g| (x ^ g, s + u64::from(*g as u32 >> 1)));
    assert_eq!(values(&format!(".type T\n{text}own r1, 1, T\nown r2, 1, T"), &[]), [expected.0, expected.1]);
    // A function of the maximum size, with a branch across all of it.
    let lines = Limits::default().slots as usize - 6;
    let filler = "add r2, r2, r3\nxor r3, r2, r1\n".repeat(lines / 2);
    let text = format!(".unit 1\n.type T\nld1le r1, [0]\nif r1 == 1\n{filler}end\nown r2, 1, T\nown r3, 1, T");
    let mut model = (0u64, 0u64);
    for _ in 0..lines / 2 {
        model.0 = model.0.wrapping_add(model.1);
        model.1 = model.0 ^ 1;
    }
    assert_eq!(values(&text, &[1]), [model.0, model.1]);
    assert_eq!(values(&text, &[0]), [0, 0]);
    // Code much larger than what it comes from.
    let many = "own 0x123456789abcdef, r1, T\nown 0x123456789abcdef, 0x123456789abcdef, T\n".repeat(9_000);
    let outcome = run(&format!(".type T\n{many}"), &[]);
    assert_eq!((outcome.status, outcome.tuples.len()), (Status::Ok, 9_000));
    // Many ways to leave a round, one within the other and one after the other.
    let leave: String =
        (0..3_000).map(|n| format!("if r1 == {n}\nif r2 == 1\nnext\nend\nadd r3, r3, 1\nend\n")).collect();
    let text = format!(".unit 1\n.fuel 16777216\n.type T\nld1le r2, [0]\nloop r1, 100, 100\n{leave}end\nown r3, r1, T");
    assert_eq!((values(&text, &[0]), values(&text, &[1])), (vec![100], vec![0]));
    let leave: String = (50..2_000).map(|n| format!("if r1 == {n}\nbreak\nend\nadd r3, r3, 1\n")).collect();
    let text = format!(".unit 1\n.type T\nloop r1, 100, 100\n{leave}end\nown r3, 1, T\nown r1, 1, T");
    assert_eq!(values(&text, &[0]), [50 * 1950, 50]);
}

#[test]
fn the_error_at_the_lowest_offset_is_reported() {
    // A load that always faults before an unknown opcode, an unmatched `end`, and too much cost.
    let text = ".unit 8\nld1le r1, [8]\nend\nend";
    assert_eq!(rejected(text).rule(), Rule::CertainFault);
    let text = ".unit 8\nend\nld1le r1, [8]";
    assert_eq!(rejected(text).rule(), Rule::Unmatched);
    let text = ".unit 8\n.fuel 1\nloop r1, 100, 100\nend\nld1le r1, [8]";
    assert_eq!(rejected(text).rule(), Rule::CertainFault);
    // In an unfinished loop, what the rest of it might write is not known, so nothing is certain.
    let text = ".unit 8\nmv r2, 100\nloop r1, 4, 4\nld1le r3, [r2]\nelse";
    assert_eq!(rejected(text).rule(), Rule::Else);
    let mut code = binary(".unit 8\nld1le r1, [8]\nret");
    code[HEADER + 8] = 0xff;
    assert_eq!(rejected_file(code).rule(), Rule::CertainFault);
}
