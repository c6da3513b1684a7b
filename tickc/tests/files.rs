//! What programs become: each file in `tests/files` has a program as text, what it returns, its linear representation, and its
//! machine code by each tier of our own. Each shows one property of the code.
//!
//! `UPDATE_EXPECT=1 cargo test -p tickc --test files` writes the files anew. What must never appear in the machine code, or must,
//! stands here, and is looked at then, too.
//!
//! The code depends on what the machine offers: it is compared where there are BMI2, POPCNT, SSE4.1 and MOVBE. The Cranelift tier's
//! depends on the version of Cranelift: only its results are looked at.
#![forbid(unsafe_code)]
#![cfg(not(miri))]
mod support;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use expect_test::expect_file;
use support::TIERS;
use tickc::prelude::*;

/// The tiers whose code is in the files: as the files call them.
const PARTS: [(Tier, &str); 3] =
    [(Tier::Interp, "representation"), (Tier::OnePass, "one-pass"), (Tier::LinearScan, "linear-scan")];

/// A program, compiled by some tier and called with all its arguments.
struct Compiled {
    /// The calls as text, each with its result.
    calls: Vec<(&'static str, String)>,
    code: String,
}

/// Compares a program with its file.
fn check(
    name: &str,
    shows: &str,
    program: &str,
    expected: &[String],
    (has, lacks): (&[&str], &[&str]),
    compile: impl Fn(Tier) -> Compiled,
) {
    for &tier in TIERS {
        let compiled = compile(tier);
        for ((arguments, got), expected) in compiled.calls.iter().zip(expected) {
            assert_eq!(got, expected, "{name}, {tier:?}, called with {arguments}\n{}", compiled.code);
        }
    }
    if !(is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("movbe"))
    {
        println!("skipped: the code of {name}, on a machine without BMI2, POPCNT, SSE4.1 or MOVBE");
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/files/{name}.txt"));
    let mut text = format!("{shows}\n\n{}\n\n", laid_out(program, &path));
    for ((arguments, _), expected) in compile(Tier::Interp).calls.iter().zip(expected) {
        writeln!(text, "{arguments} = {expected}").unwrap();
    }
    for (tier, part) in PARTS {
        let code = without_addresses(&compile(tier).code);
        if tier != Tier::Interp {
            has.iter().for_each(|word| assert!(code.contains(word), "{name}, {part}: no `{word}`\n{code}"));
            lacks.iter().for_each(|word| assert!(!code.contains(word), "{name}, {part}: `{word}`\n{code}"));
        }
        write!(text, "\n--- {part}\n{code}").unwrap();
    }
    expect_file![path].assert_eq(&text);
}

/// The program as its file lays it out, if that has the same tokens.
fn laid_out(program: &str, path: &Path) -> String {
    let tokens = |text: &str| text.split_whitespace().collect::<String>().replace(",)", ")").replace(",}", "}");
    let file = std::fs::read_to_string(path).unwrap_or_default();
    let mut parts = file.split("\n\n").skip(1);
    parts.find(|part| tokens(part) == tokens(program)).unwrap_or(program).to_owned()
}

/// Code with all numbers left out that can only be addresses.
fn without_addresses(code: &str) -> String {
    let is_address = |digits: &str| {
        u64::from_str_radix(digits, 16).is_ok_and(|number| (0x1_0000_0000..0x8000_0000_0000).contains(&number))
    };
    let mut text = String::new();
    for word in code.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len();
        let (number, rest) = word.split_at(end);
        let digits = number.strip_prefix("0x").or(number.strip_suffix('h')).unwrap_or("");
        text.push_str(if is_address(digits) { "ADDRESS" } else { number });
        text.push_str(rest);
    }
    text
}

/// Tests, each `name "what it shows" has ["text", …] lacks ["text", …] { program } (arguments) => result, …;`: the machine code of
/// both tiers has the one and lacks the other.
macro_rules! files {
    ($(
        $name:ident $shows:literal $(has [$($has:literal),+])? $(lacks [$($lacks:literal),+])? { $($program:tt)* }
        $($arguments:tt => $result:expr),+;
    )*) => {$(
        #[test]
        fn $name() {
            check(
                stringify!($name),
                $shows,
                stringify!($($program)*),
                &[$(format!("{:?}", $result)),+],
                (&[$($($has),+)?], &[$($($lacks),+)?]),
                |tier| {
                    let f = Jit::builder().tier(tier).build().unwrap().compile({ $($program)* }).unwrap();
                    let calls = vec![$((stringify!($arguments), match f.try_call $arguments {
                        Ok(value) => format!("{value:?}"),
                        Err(trap) => format!("{trap:?}"),
                    })),+];
                    Compiled { calls, code: f.disassemble() }
                },
            );
        }
    )*};
}

#[derive(Clone, Copy, Record)]
struct Order {
    price: i64,
    quantity: i32,
    kind: u8,
    days: [u16; 7],
}

#[derive(Clone, Copy, Record)]
struct Header {
    length: u16,
    address: u32,
}

const ORDER: Order = Order { price: 250, quantity: 4, kind: 200, days: [1, 2, 3, 4, 5, 6, 7] };

extern "C" fn twice(x: i64) -> i64 {
    2 * x
}

files! {
    immediates "Constants are part of the instructions that use them." lacks ["mov r11"] {
        tick!(|x: i64, y: u8| -> i64 { ((x + 7 ^ 0x55) - 100_000) & (y | 0x81) as i64 })
    }
    (5, 3) => 129, (-1, 255) => 179;

    large_constants "Constants of more than 32 bits are loaded once, by the shortest `mov`." {
        tick!(|x: u64| -> u64 { (x ^ 0x1234_5678_9abc_def0) + (x & 0xffff_ffff) })
    }
    (0) => 0x1234_5678_9abc_def0u64, (u64::MAX) => 0xedcb_a988_6543_210eu64;

    identities "Operations with neutral constants leave nothing." lacks ["add", "imul", "or ", "shl"] {
        let (zero, one) = (0i64, 1i64);
        tick!(|x: i64| -> i64 { ((x * $one + $zero) | $zero) << $zero })
    }
    (77) => 77;

    folding "What is known when code is made is computed then." lacks ["mul", "rol", "div"] {
        let n = 12u32;
        tick!(|x: u32| -> u32 { x + ($n * $n - 4).rotate_left(3) / 7 })
    }
    (1) => 161;

    sums_by_lea "A sum that must leave both of its operands alone is one `lea`." has ["lea"] {
        tick!(|x: i64, y: i64| -> i64 { (x + y) * (x + 3) ^ x ^ y })
    }
    (2, 5) => 36;

    fields "Loads of fields are operands of the instructions that use them." has ["[rdi"] {
        tick!(|o: Ref<Order>, y: i64| -> bool { y + o.price > 300 || o.quantity == 4 })
    }
    (&ORDER, 51) => true, (&Order { quantity: 5, ..ORDER }, 50) => false;

    updates "The one-pass tier updates a field where it lies, by one instruction." {
        tick!(|o: RefMut<Order>, x: i64| {
            o.price += x;
            o.quantity ^= 12;
            o.kind += 1;
        })
    }
    (&mut { ORDER }, 3) => ();

    addressing "Scale and displacement of an element are part of its address." has ["*4", "+8"] {
        tick!(|s: Slice<i32>, t: Slice<Order>, i: usize| -> i32 { s[i] + s[i + 2] * t[i].quantity })
    }
    (&[1, 2, 3], &[ORDER], 0) => 13, (&[1, 2, 3], &[ORDER], 1) => Trap::IndexOutOfBounds;

    widening_loads "Loads extend as they load." has ["movzx", "movsx"] {
        tick!(|s: Slice<u8>, t: Slice<i16>| -> i64 { s[0] as i64 + t[1] as i64 })
    }
    (&[200], &[1, -1000]) => -800;

    big_endian "A field in network order is swapped by one instruction, or by its load." lacks ["shl", "shr", "ro"] {
        tick!(|h: Ref<Header>| -> u32 { u32::from_be(h.address) & 0xffff_ff00 })
    }
    (&Header { length: 0, address: 0x0102_0304 }) => 0x0403_0200;

    compare_and_branch "A condition becomes a jump, not a value." lacks ["set", "test"] {
        tick!(|a: i64, b: i64| -> i64 { if a < b { b - a } else { a * 3 } })
    }
    (1, 5) => 4, (5, 1) => 15;

    short_circuit "`&&`, `||` and `!` are jumps between comparisons." lacks ["set", "xor"] {
        tick!(|a: i32, b: i32, c: i32| -> i32 { if !(a < b && b != 4) || c > 9 { a } else { c } })
    }
    (1, 2, 3) => 3, (1, 4, 3) => 1, (1, 2, 10) => 1;

    flags_as_values "A condition that is stored takes one `set`." has ["setbe"] {
        tick!(|a: u64, b: u64, out: SliceMut<bool>| { out[0] = a <= b; })
    }
    (1, 2, &mut [false]) => ();

    bits_tested "A comparison of some bits with zero is one `test`." has ["test"] lacks ["and "] {
        tick!(|x: u32| -> u32 { if x & 0x18 != 0 { 1 } else { x } })
    }
    (8) => 1, (7) => 7;

    ranges "Membership of a range is one comparison." {
        tick!(|x: u8| -> u32 { match x { b'0'..=b'9' => 1, _ => 2 } })
    }
    (b'7') => 1, (b'a') => 2, (0) => 2;

    multiples "Products by constants are shifts and `lea`s where these are shorter." lacks ["imul"] {
        tick!(|a: i64, b: i64, c: i64| -> i64 { (a * 8) ^ (b * 9) ^ (c * 40) })
    }
    (1, 1, 1) => 41;

    powers_of_two "Quotients and remainders by powers of two are shifts and masks." lacks ["div", "mul"] {
        tick!(|x: u32, y: i32| -> i32 { (x / 16 + x % 16) as i32 - y / 8 })
    }
    (100, -9) => 11;

    division_by_ten "Quotients by other constants are products by the reciprocal." lacks ["div"] {
        tick!(|x: u64, y: i32| -> u64 { x / 10 + (y % 7) as u64 })
    }
    (1234, 20) => 129;

    division "A division by a variable tests for what would trap, out of line." has ["idiv"] {
        tick!(|x: i32, y: i32| -> i32 { x / y })
    }
    (7, 2) => 3, (7, 0) => Trap::DivisionByZero, (i32::MIN, -1) => Trap::DivisionOverflow;

    shifts "A shift by a variable takes any registers." has ["sarx"] lacks ["cl"] {
        tick!(|x: i64, n: u32| -> i64 { (x >> n) + (x << 3) })
    }
    (-16, 2) => -132;

    rotations "A pair of shifts written as a rotation is one instruction." has ["popcnt", "bswap"] {
        tick!(|x: u32| -> u32 { x.rotate_left(13) ^ x.swap_bytes().count_ones() })
    }
    (1) => 0x2001;

    floats "Floats are not contracted; their constants need no memory." has ["mulsd", "addsd"] lacks ["fmadd"] {
        tick!(|a: f64, b: f64| -> f64 { a * b + 1.5 })
    }
    (2.0, 3.0) => 7.5;

    leaf "A function that calls nothing and has registers enough has no frame." lacks ["push", "rsp"] {
        tick!(|a: i64, b: i64, c: i64, d: i64| -> i64 { let e = a - b; let f = c - d; e * f + e - f })
    }
    (5, 3, 9, 2) => 9;

    slots "Variables for which there is no register live in the frame, and are operands there." has ["[rsp"] {
        let v: [Var<i64>; 16] = std::array::from_fn(|_| Var::local());
        tick!(|x: i64| -> i64 {
            for (i, v) in $(v.into_iter().enumerate()) { @v = x ^ $(i as i64); }
            let mut sum = 0;
            for v in $(v.into_iter()) { sum = sum * 3 + @v; }
            sum
        })
    }
    (0) => 10_761_672;

    loops "A loop has one jump, at its end, and no check of an index that its bound implies." {
        tick!(|s: Slice<i64>| -> i64 {
            let mut sum = 0;
            for i in 0..s.len() { sum += s[i]; }
            sum
        })
    }
    (&[1, 2, 3]) => 6, (&[]) => 0;

    while_loops "A `while` tests before the loop and at its end." lacks ["div"] {
        tick!(|n: u64| -> u64 {
            let mut x = n;
            let mut steps = 0;
            while x != 1 {
                x = if x % 2 == 0 { x / 2 } else { 3 * x + 1 };
                steps += 1;
            }
            steps
        })
    }
    (27) => 111, (1) => 0;

    unrolled "An unrolled loop leaves its bodies, and of those with a zero nothing." {
        let weights = [3i64, 0, -1, 0, 8];
        tick!(|p: Slice<i64>| -> i64 {
            let mut sum = 0;
            for (i, w) in $(weights.into_iter().enumerate()) {
                if $(w != 0) { sum += p[$i] * $w; }
            }
            sum
        })
    }
    (&[1, 10, 100, 1000, 10000]) => 79_903, (&[1; 4]) => Trap::IndexOutOfBounds;

    dead_arms "Of an `if` and a `match` whose condition is known one arm is left." lacks ["div", "mul", "cmp"] {
        let (debug, mode) = (false, 2);
        tick!(move |x: i64| -> i64 {
            if $debug { trap(1) }
            match $mode { 0 => x / x, 1 => x * x, _ => x + 1 }
        })
    }
    (9) => 10;

    captured_tables "A captured slice is read where the index is known, and addressed where it is not." {
        let table: Arc<[i64]> = Arc::new([10, 20, 30]);
        tick!(|i: usize| -> i64 { $table[1] + $table[i] })
    }
    (2) => 50, (3) => Trap::IndexOutOfBounds;

    jump_tables "A dense `match` finds its arm by a table of distances behind the code (one-pass), or by halving." {
        tick!(|op: u8, x: i64| -> i64 {
            match op {
                0 => x + 1,
                1 => x - 1,
                2 => x * x,
                3 => !x,
                4 => x << 4,
                5 => -x,
                _ => 0,
            }
        })
    }
    (0, 5) => 6, (2, 5) => 25, (5, 5) => -5, (6, 5) => 0;

    sparse_matches "A sparse `match` is a search by comparisons." lacks ["movsxd", "jmp r"] {
        tick!(|x: u32| -> u32 { match x { 7 => 1, 90 => 2, 1_000 => 3, 20_000 => 4, 3_000_000 => 5, _ => 6 } })
    }
    (7) => 1, (3_000_000) => 5, (8) => 6;

    traps "Checks are jumps that are not taken; what they lead to lies behind the code, once for each trap." {
        tick!(|s: SliceMut<i64>, i: usize, d: i64| -> i64 { s[i] = s[i + 1] / d; s[i] })
    }
    (&mut [1, 8], 0, 2) => 4, (&mut [1], 0, 1) => Trap::IndexOutOfBounds, (&mut [1, 2], 0, 0) => Trap::DivisionByZero;

    native_calls "Around a call only what is alive is kept, in registers that the call preserves." {
        tick!(|x: i64, y: i64, z: i64| -> i64 { twice(x * z) + y })
    }
    (3, 4, 5) => 34;

    compiled_calls "A call of compiled code is one near `call`, a status only where it may trap." {
        let jit = Jit::builder().tier(Tier::OnePass).build().unwrap();
        let (square, element) = (
            jit.compile(tick!(|x: i64| -> i64 { x * x })).unwrap(),
            jit.compile(tick!(|s: Slice<i64>, i: usize| -> i64 { s[i] })).unwrap(),
        );
        tick!(|s: Slice<i64>| -> i64 { $square(3) + $element(s, 1) })
    }
    (&[1, 2]) => 11, (&[1]) => Trap::IndexOutOfBounds;

    recursion "A function that calls itself looks at the stack before it takes any." {
        tick!(fn fib(n: u32) -> u32 { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } })
    }
    (10) => 55;

    dead_definitions "What nobody reads is not computed, by the tier that has a representation." {
        tick!(|x: i64, s: Slice<i64>| -> i64 { let _unused = x * x + s[0]; let y = x + 1; y })
    }
    (4, &[1]) => 5, (4, &[]) => Trap::IndexOutOfBounds;
}
