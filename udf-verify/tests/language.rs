//! The language as it is written: assembling, disassembling, running, and messages about texts.
use udf_verify::{AsmOptions, FaultCode, Inputs, Limits, Status, Unverified, Verified, disassemble};

fn verified(text: &str) -> Verified {
    let unverified = Unverified::assemble(text).unwrap_or_else(|error| panic!("{error}"));
    unverified.verify(&Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn tuples(text: &str, bytes: &[u8]) -> Vec<(u64, u64, u64)> {
    let outcome = verified(text).interpret(bytes, &Inputs::default());
    assert_eq!(outcome.status, Status::Ok);
    outcome.tuples.iter().map(|t| (t.start, t.count, t.type_index)).collect()
}

#[test]
fn a_pointer_block_owns_what_it_points_to() {
    let text = "
        .kind owns
        .unit 16
        .type DATA
        loop r1, 4, 4
            shl r2, r1, 2
            ld4le r3, [r2]
            if r3 != 0
                own r3, 1, DATA
            end
        end
    ";
    let mut block = [0; 16];
    block[4] = 7;
    block[12..].copy_from_slice(&0x0102_0304u32.to_le_bytes());
    assert_eq!(tuples(text, &block), [(7, 1, 0), (0x0102_0304, 1, 0)]);
}

#[test]
fn every_instruction_is_written_and_read_back() {
    let text = "
        .kind acl
        .unit 64
        .fuel 5000
        .strict
        .group 7
        .type B = 9
        .type A = 3
        li r1, 0xffff_ffff_ffff_fffc
        li r2, 5
        mv r3, r2
        mv r4, 0x1234567890
        mv r5, -1
        add r6, r5, 3
        sub r6, 3, r5
        mul r6, 0x100000000, 0x200000000
        mul r6, 4, 0x200000000
        and r6, r6, 0xff
        or r6, r6, r2
        xor r6, r6, r2
        shl r6, r6, 65
        shr r6, r6, 1
        div r6, r6, 0
        rem r6, r6, 0
        ld1le r7, [0]
        ld1be r7, [63]
        ld2le r7, [r0 + 2]
        ld2be r7, [r0]
        ld4le r7, [r2 - 4]
        ld4be r7, [60]
        ld8le r7, [56]
        ld8be r7, [r2 + 0x10]
        arg r8, 0
        arg r8, 1
        now r9
        cred r9, 7
        loop r10, r2, 5
            if r10 == 1
                next
            else
                if r10 >= 4
                    break
                end
            end
            if r10 != 3
                own r1, r10, A
                own 5, 0x1_0000_0000, B
            end
            if r10 < 1
            end
            if r10 <= 1
            end
            if 3 > r10
            end
        end
        loop r10, 3, 0x1_0000_0000
            break
        end
        fail 4294967295
        ret
    ";
    let unverified = Unverified::assemble(text).expect("assembles");
    let (program, names) = unverified.decode().expect("decodes");
    let printed = disassemble(&program, &names);
    let again = Unverified::assemble(&printed).expect("what is printed assembles");
    assert_eq!(unverified.hashed_bytes().expect("sections"), again.hashed_bytes().expect("sections"));
    let (program_again, names_again) = again.decode().expect("decodes");
    assert_eq!(printed, disassemble(&program_again, &names_again), "one text for one binary");
    assert!(printed.contains(".type A = 3\n.type B = 9\n"), "{printed}");
}

#[test]
fn constants_are_expressions() {
    let text = "
        .const SIZE = 1 << 4 | 2 ^ 3 & 1    ; 19
        .const HALF = (SIZE + 1) / 2 % 7 - -1
        .type T
        .unit 1
        own SIZE, HALF, T
        own 0x10 * 2 - 1, 1, T
    ";
    assert_eq!(tuples(text, &[0]), [(16 | (2 ^ (3 & 1)), (20 / 2) % 7 + 1, 0), (31, 1, 0)]);
}

#[test]
fn constants_come_from_outside() {
    let text = ".const N = 4\n.unit N\n.type T\nown N, EXTRA, T";
    let options = AsmOptions { constants: vec![("N".to_owned(), 8), ("EXTRA".to_owned(), 3)] };
    let verified =
        Unverified::assemble_with(text, &options).expect("assembles").verify(&Limits::default()).expect("fine");
    assert_eq!(verified.header().unit, 8);
    let options = AsmOptions { constants: vec![("NN".to_owned(), 8), ("EXTRA".to_owned(), 3)] };
    let error = Unverified::assemble_with(text, &options).expect_err("NN does not exist");
    assert_eq!(error.message(), "the text has no constant `NN` to give a value to");
    assert_eq!(error.suggestion(), Some("did you mean `N`?"));
}

#[test]
fn macros_expand() {
    let text = "
        .type T
        .unit 8
        .macro twice x, f
            f \\x
            f x + 1
        .endm
        .macro one n
            own n, 1, T
        .endm
        twice 5, one
        twice (2 * 3), one
    ";
    assert_eq!(tuples(text, &[0; 8]), [(5, 1, 0), (6, 1, 0), (6, 1, 0), (7, 1, 0)]);
}

#[test]
fn loops_count_break_and_go_on() {
    let text = "
        .type T
        .unit 4
        mv r9, 7
        loop r1, 3, 3
            loop r2, r1, 3
                if r2 == 1
                    next
                end
                own r1, r2, T           ; count 0 adds nothing
            end
            own 100, r2, T              ; behind a loop: how many rounds it had
        end
        loop r3, r9, 10
            if r3 == 4
                break
            end
        end
        own r3, r1, T
        loop r4, 0, 5
            fail 1
        end
        own 1, r4, T
    ";
    assert_eq!(tuples(text, &[0; 4]), [(100, 1, 0), (100, 2, 0), (4, 3, 0)]);
}

#[test]
fn the_count_of_a_loop_is_read_once() {
    let text = "
        .type T
        .unit 1
        mv r2, 3
        loop r1, r2, 5
            mv r2, 100
            own r1, 1, T
        end
        own r2, r1, T
    ";
    assert_eq!(tuples(text, &[0]), [(0, 1, 0), (1, 1, 0), (2, 1, 0), (100, 3, 0)]);
}

#[test]
fn a_fault_or_a_failure_leaves_nothing() {
    let function = verified(".type T\n.unit 8\nown 1, 1, T\nld1le r1, [0]\nld8le r2, [r1]\nown 2, 1, T");
    let outcome = function.interpret(&[1; 8], &Inputs::default());
    assert_eq!(outcome.status, Status::Fault { code: FaultCode::Load, place: 3 });
    assert!(outcome.tuples.is_empty());
    assert_eq!(outcome.status.to_string(), "fault\tload\t3");
    let outcome = verified(".type T\n.unit 1\nown 1, 1, T\nfail 9").interpret(&[0], &Inputs::default());
    assert_eq!((outcome.status, outcome.tuples.len()), (Status::Fail(9), 0));
}

/// (text, message, line, column, suggestion)
const WRONG: &[(&str, &str, u32, u32, Option<&str>)] = &[
    ("  ad r1, r2, r3", "there is no instruction `ad`", 1, 3, Some("did you mean `add`?")),
    ("mov r1, 2", "there is no instruction `mov`", 1, 1, Some("did you mean `mv`?")),
    (
        "\nld4 r1, [0]",
        "there is no instruction `ld4`",
        2,
        1,
        Some("say in which order the bytes are: `ld4le` or `ld4be`"),
    ),
    ("mv r32, 1", "there is no register r32", 1, 4, Some("the registers are r0 to r31")),
    ("mv 5, 1", "expected a register, found `5`", 1, 4, None),
    ("mv x, 1", "expected a register, found `x`", 1, 4, Some("the registers are r0 to r31")),
    ("mv r1", "expected `,`, found the end of the line", 1, 6, None),
    ("mv r1,", "a number is missing here", 1, 7, None),
    ("mv r1, 1 2", "`2` is too much here", 1, 10, Some("an instruction ends with its line; a comment starts with `;`")),
    (
        "mv r1, r2 + 1",
        "`+` is too much here",
        1,
        11,
        Some("an instruction ends with its line; a comment starts with `;`"),
    ),
    ("mv r1, 1 + r2", "the register r2 cannot stand in a constant expression", 1, 12, None),
    (".const LEN = 2\nmv r1, LEM", "`LEM` is not defined", 2, 8, Some("did you mean `LEN`?")),
    ("mv r1, SIZE", "`SIZE` is not defined", 1, 8, Some("define it above: `.const SIZE = …`")),
    ("mv r1, 1 / 0", "`1 / 0` has no value", 1, 10, Some("the divisor must not be zero")),
    ("mv r1, 1 << 64", "`1 << 64` has no value", 1, 10, Some("the count must be 0 to 63 and the result not too large")),
    ("mv r1, 0xffffffffffffffff + 1", "18446744073709551616 does not fit 64 bits", 1, 8, None),
    (
        "mv r1, 0x1ffffffffffffffff",
        "`0x1ffffffffffffffff` does not fit 64 bits",
        1,
        8,
        Some("numbers are decimal or 0x… and at most 0xffff_ffff_ffff_ffff"),
    ),
    (
        "mv r1, 12ab",
        "`12ab` is not a number",
        1,
        8,
        Some("numbers are decimal or 0x… and at most 0xffff_ffff_ffff_ffff"),
    ),
    ("mv r1, (1", "expected `)`, found the end of the line", 1, 10, None),
    ("mv r1, #1", "the character '#' has no meaning here", 1, 8, Some("a comment starts with `;`")),
    ("if r1 = 2", "expected a comparison here", 1, 7, Some("the comparisons are == != < <= > >=, unsigned")),
    ("ld4le r1, r2", "expected `[`, found `r2`", 1, 11, None),
    (
        "ld4le r1, [r2 + r3]",
        "an address has one register",
        1,
        17,
        Some("compute the sum in a register of its own, with `add`"),
    ),
    ("own 1, 1, DATA", "the type `DATA` is not declared", 1, 11, Some("declare it above: `.type DATA`")),
    (".type DATA\nown 1, 1, DATE", "the type `DATE` is not declared", 2, 11, Some("did you mean `DATA`?")),
    (".type A\n.type A", "the type `A` is declared twice", 2, 7, None),
    (".type A = 1\n.type B = 1", "the types `A` and `B` are both member 1 of the group", 2, 7, None),
    (
        "arg r1, 2",
        "the argument's number is 2: it must be 0 to 1",
        1,
        9,
        Some("0 is the block's number, 1 the size of a unit in bytes"),
    ),
    ("fail -1", "the reason is -1: it must be 0 to 4294967295", 1, 6, None),
    (".knd owns", "there is no directive `.knd`", 1, 1, Some("did you mean `kind`?")),
    (".kind own", "there is no kind `own`", 1, 7, Some("the kinds are owns, acl and size")),
    (".const A = 1\n.const A = 2", "the constant `A` is defined twice", 2, 8, None),
    (".const r1 = 1", "`r1` is a register and cannot name a constant", 1, 8, None),
    (
        ".macro m a\nmv a, 1",
        "the macro `m` has no end",
        1,
        1,
        Some("write `.macro NAME a, b`, the body in lines of its own, and `.endm`"),
    ),
    (".endm", "`.endm` without `.macro`", 1, 1, None),
    (".macro m a\nmv a, 1\n.endm\nm", "the macro `m` takes 1 arguments, 0 are given", 4, 1, Some("write `m a`")),
    (".macro m\nm\n.endm\nm", "macros are nested more than 16 deep", 2, 1, Some("does the macro use itself?")),
    (".macro m a\nmv \\b, 1\n.endm\nm r1", "`\\b` is no parameter here", 2, 4, Some("did you mean `a`?")),
    ("[r1]", "expected an instruction, found `[`", 1, 1, None),
    ("\té", "the character 'é' has no meaning here", 1, 2, None),
];

#[test]
fn messages_name_the_place_and_what_might_be_meant() {
    for &(text, message, line, column, suggestion) in WRONG {
        let error = Unverified::assemble(text).expect_err(text);
        assert_eq!(
            (error.message(), error.line(), error.column(), error.suggestion()),
            (message, line, column, suggestion)
        );
    }
    let error = Unverified::assemble("\n\tmv r1, 1 /\t0").expect_err("no value");
    let expected = "error: `1 / 0` has no value\n --> line 2, column 11\n  |\n2 | \tmv r1, 1 /\t0\n  | \t         ^\n  = help: the divisor must not be zero";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn deep_and_doubling_texts_are_refused_in_bounded_time() {
    let deep = format!("mv r1, {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let error = Unverified::assemble(&deep).expect_err("too deep");
    assert_eq!(error.message(), "the expression is nested more than 64 deep");
    let deep = format!("mv r1, {}1", "-".repeat(100_000));
    assert!(Unverified::assemble(&deep).is_err());
    let mut doubling = ".macro m0\nmv r1, 1\nmv r1, 1\n.endm\n".to_owned();
    for n in 1..15 {
        let body = format!("m{}\n", n - 1).repeat(20);
        doubling += &format!(".macro m{n}\n{body}.endm\n");
    }
    let error = Unverified::assemble(&(doubling + "m14")).expect_err("too much");
    assert_eq!(error.message(), "macros expand to more than 1048576 tokens");
}
