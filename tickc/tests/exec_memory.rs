//! Where code lives: never in memory that is writable and executable at once, in memory got without system calls once a
//! thread has warmed up, and with a fallback or a clear error on systems that refuse.
//!
//! The refusals are real ones: the test runs itself again in a process whose system calls go through a seccomp filter.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(unsafe_code, reason = "installs seccomp filters")]

mod support;

use std::os::unix::process::ExitStatusExt;
use support::{child, role};
use tickc::prelude::*;

// ------------------------------------------------------------------------------------------------------- seccomp

/// A system call, or one of its arguments, that a filter treats apart.
enum Rule {
    /// The call gets this answer.
    Call(libc::c_long, u32),
    /// The call gets this answer where any of `bits` is set in the low word of argument `index`.
    Bits { call: libc::c_long, index: u32, bits: u32, answer: u32 },
}

const fn errno(code: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | code as u32
}

/// Puts a filter on the system calls of this thread. Without the kernel's consent: the reason.
fn filter(rules: &[Rule], otherwise: u32) -> Result<(), std::io::Error> {
    const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
    let load = |offset| libc::sock_filter {
        code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
        jt: 0,
        jf: 0,
        k: offset,
    };
    let jump = |how, k, jt, jf| libc::sock_filter { code: (libc::BPF_JMP | how | libc::BPF_K) as u16, jt, jf, k };
    let answer = |k| libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k };
    // struct seccomp_data: nr at 0, arch at 4, args from 16 on, 8 bytes each, low word first.
    let mut program =
        vec![load(4), jump(libc::BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0), answer(libc::SECCOMP_RET_KILL_PROCESS)];
    for rule in rules {
        program.push(load(0));
        match *rule {
            Rule::Call(call, result) => {
                program.extend([jump(libc::BPF_JEQ, call as u32, 0, 1), answer(result)]);
            }
            Rule::Bits { call, index, bits, answer: result } => program.extend([
                jump(libc::BPF_JEQ, call as u32, 0, 3),
                load(16 + 8 * index),
                jump(libc::BPF_JSET, bits, 0, 1),
                answer(result),
            ]),
        }
    }
    program.push(answer(otherwise));
    let description = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: both calls take integers, and the second a pointer to a program that outlives it; the kernel checks it.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const description, 0, 0) != 0
    };
    if refused { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}

/// What a child says where filters are not to be had.
const NO_SECCOMP: &str = "no seccomp here";

/// In a child: puts a filter on, or says that it cannot.
fn filter_or_skip(rules: &[Rule], otherwise: u32) -> bool {
    match filter(rules, otherwise) {
        Ok(()) => true,
        Err(error) => {
            println!("{NO_SECCOMP}: {error}");
            false
        }
    }
}

/// Runs `test` in a child in this role; it must end well.
fn passes(test: &str, role: &str) {
    let output = child(test, role);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{test} as {role}: {}\n{out}\n{err}", output.status);
    if out.contains(NO_SECCOMP) {
        println!("skipped {test} as {role}: {out}");
    } else {
        assert!(out.contains(DONE), "{test} as {role} did not run to its end:\n{out}\n{err}");
    }
}

/// What a child says when it has done its work.
const DONE: &str = "the child is done";

fn no_memfd(code: i32) -> Rule {
    Rule::Call(libc::SYS_memfd_create, errno(code))
}

/// Refusals of `PROT_EXEC`.
fn no_exec(calls: &[libc::c_long], code: i32) -> Vec<Rule> {
    let bits = libc::PROT_EXEC as u32;
    calls.iter().map(|&call| Rule::Bits { call, index: 2, bits, answer: errno(code) }).collect()
}

const PROTECT: [libc::c_long; 2] = [libc::SYS_mprotect, libc::SYS_pkey_mprotect];

// ---------------------------------------------------------------------------------------------------------- maps

/// The mappings of this process: range, permissions, name.
fn mappings() -> Vec<(std::ops::Range<usize>, String, String)> {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("Linux has maps");
    let parse = |line: &str| {
        let mut fields = line.split_whitespace();
        let (low, high) = fields.next()?.split_once('-')?;
        let range = usize::from_str_radix(low, 16).ok()?..usize::from_str_radix(high, 16).ok()?;
        let permissions = fields.next()?.to_owned();
        Some((range, permissions, fields.nth(3).unwrap_or_default().to_owned()))
    };
    maps.lines().map(|line| parse(line).expect("a line of maps")).collect()
}

fn assert_no_mapping_is_writable_and_executable() {
    let maps = mappings();
    assert!(maps.len() > 5);
    let both = maps.iter().find(|(_, permissions, _)| permissions.contains('w') && permissions.contains('x'));
    assert!(both.is_none(), "{both:?}");
}

/// Permissions and name of the mapping that a function's code lies in.
fn home(f: &Func<fn(i64) -> i64>) -> (String, String) {
    let text = format!("{f:?}");
    let hex = text.split("0x").nth(1).and_then(|rest| rest.split(')').next()).expect("an address in the Debug form");
    let address = usize::from_str_radix(hex, 16).expect("the address is hexadecimal");
    let found = mappings().into_iter().find(|(range, ..)| range.contains(&address)).expect("code lies in a mapping");
    (found.1, found.2)
}

/// Compiles, calls and drops in all sorts of orders, and looks at the mappings all the while.
fn exercise(jit: &Jit) -> Func<fn(i64) -> i64> {
    let add = |n: i64| jit.compile(tick!(|x: i64| -> i64 { x + $n })).unwrap();
    let first = add(1000);
    assert_no_mapping_is_writable_and_executable();
    for round in 0..3 {
        let mut live: Vec<_> = (0..300).map(|n| (n, add(n))).collect();
        assert_no_mapping_is_writable_and_executable();
        assert!(live.iter().all(|(n, f)| f.call(7) == n + 7));
        live.retain(|(n, _)| n % 3 == round);
        // Functions of another size in the places of those that went.
        let longer: Vec<_> = (0..100)
            .map(|n| {
                let f = jit
                    .compile(tick!(|x: i64| -> i64 { let mut s = x; for k in $(0..n) { s = s * 3 + $k; } s }))
                    .unwrap();
                let want = (0..n).fold(7i64, |s, k| s.wrapping_mul(3).wrapping_add(k));
                (want, f)
            })
            .collect();
        assert_no_mapping_is_writable_and_executable();
        assert!(longer.iter().all(|(want, f)| f.call(7) == *want));
        assert!(live.iter().all(|(n, f)| f.call(7) == n + 7));
        assert_eq!(first.call(1), 1001);
    }
    // While one is being compiled.
    let nested = jit.compile(tick!(|x: i64| -> i64 {
        let y = x * 2;
        y + @({
            assert_no_mapping_is_writable_and_executable();
            let inner = add(5);
            tick!($inner(@y))
        })
    }));
    assert_eq!(nested.unwrap().call(10), 45);
    std::thread::scope(|scope| {
        for t in 0..4 {
            scope.spawn(move || (0..200).for_each(|n| assert_eq!(add(n).call(t), n + t)));
        }
    });
    // One too large for what threads hold in advance.
    let large =
        jit.compile(tick!(|x: i64| -> i64 { let mut s = x; for k in $(0..6000i64) { s = (s ^ $k) * 5; } s })).unwrap();
    assert!(large.stats().bytes > 40_000);
    assert_eq!(large.call(1), (0..6000).fold(1i64, |s, k| (s ^ k).wrapping_mul(5)));
    assert_no_mapping_is_writable_and_executable();
    first
}

#[test]
fn no_mapping_is_writable_and_executable() {
    let first = exercise(&Jit::new().unwrap());
    let (permissions, name) = home(&first);
    println!("code lies in {name:?}, {permissions}");
    assert!(permissions.contains('x') && !permissions.contains('w'), "{permissions}");
}

#[test]
fn without_memfd_private_pages_serve() {
    const TEST: &str = "without_memfd_private_pages_serve";
    let Some(role) = role() else {
        return ["EPERM", "ENOSYS", "no executable file mappings"].iter().for_each(|role| passes(TEST, role));
    };
    let rules = match role.as_str() {
        "EPERM" => vec![no_memfd(libc::EPERM)],
        "ENOSYS" => vec![no_memfd(libc::ENOSYS)],
        _ => no_exec(&[libc::SYS_mmap], libc::EPERM),
    };
    if filter_or_skip(&rules, libc::SECCOMP_RET_ALLOW) {
        let first = exercise(&Jit::new().unwrap());
        assert_eq!(home(&first), ("r-xp".to_owned(), String::new()), "private pages without a file");
        println!("{DONE}");
    }
}

#[test]
fn where_pages_cannot_become_executable_two_views_serve() {
    const TEST: &str = "where_pages_cannot_become_executable_two_views_serve";
    if role().is_none() {
        return passes(TEST, "no mprotect");
    }
    if filter_or_skip(&no_exec(&PROTECT, libc::EACCES), libc::SECCOMP_RET_ALLOW) {
        let first = exercise(&Jit::new().unwrap());
        assert!(home(&first).1.starts_with("/memfd:"), "{:?}", home(&first));
        println!("{DONE}");
    }
}

#[test]
fn where_executable_memory_is_refused_there_is_a_clear_error() {
    const TEST: &str = "where_executable_memory_is_refused_there_is_a_clear_error";
    let Some(role) = role() else {
        return ["no memfd either", "memfd"].iter().for_each(|role| passes(TEST, role));
    };
    let mut rules = no_exec(&[libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pkey_mprotect], libc::EACCES);
    if role == "no memfd either" {
        rules.push(no_memfd(libc::EPERM));
    }
    if !filter_or_skip(&rules, libc::SECCOMP_RET_ALLOW) {
        return;
    }
    for _ in 0..3 {
        let error = Jit::new().map(|_| ()).unwrap_err();
        println!("{error}");
        assert!(matches!(error, Error::ExecMemoryDenied { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("executable memory denied: "), "{text}");
        let first = if role == "memfd" { "Permission denied" } else { "Operation not permitted" };
        assert!(text.contains(&format!("one file mapped writable and executable: {first}")), "{text}");
        assert!(text.contains("private pages made executable once written: Permission denied"), "{text}");
        assert!(matches!(Jit::builder().tier(Tier::OnePass).build(), Err(Error::ExecMemoryDenied { .. })));
    }
    // Quoting needs no code memory, and neither does the interpreter.
    let code: Code<i64> = tick!(1 + 2);
    let interp = Jit::builder().tier(Tier::Interp).build().unwrap();
    let f = interp.compile(tick!(|x: i64| -> i64 { x + @code })).unwrap();
    let g = interp.compile(tick!(|x: i64| -> i64 { $f(x) * native(x) })).unwrap();
    assert_eq!(g.call(4), 7 * native(4));
    let error = interp.compile_with(Tier::OnePass, tick!(|x: i64| -> i64 { $f(x) })).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::ExecMemoryDenied { .. }), "{error:?}");
    assert!(matches!(interp.code_memory(), Err(Error::ExecMemoryDenied { .. })));
    assert!(std::thread::spawn(|| Jit::new().is_err()).join().unwrap());
    println!("{DONE}");
}

// ------------------------------------------------------------------------------------------------- steady state

extern "C" fn native(x: i64) -> i64 {
    x + 1
}

#[derive(Clone, Copy, Record)]
struct Point {
    x: i64,
}

/// `count` functions of several kinds, each compiled, called and dropped.
fn cycles(jit: &Jit, callee: &Func<fn(i64) -> i64>, count: usize) {
    let table: std::sync::Arc<[i64]> = std::sync::Arc::from([1, 2, 3]);
    let mut point = Point { x: 0 };
    for i in 0..count {
        let n = i as i64;
        let x = Var::<i64>::local();
        let sum = (0..i % 20).fold(tick!(@x), |sum, k| tick!(@sum * 3 + $(k as i64)));
        let f =
            jit.compile(tick!(|y: i64, p: RefMut<Point>| -> i64 { @x = y; p.x = y / $(n + 1); @sum + $n })).unwrap();
        let want = (0..i % 20).fold(n, |sum, k| sum.wrapping_mul(3).wrapping_add(k as i64));
        assert_eq!(f.call(n, &mut point), want.wrapping_add(n));
        let g = jit.compile(tick!(|y: i64| -> i64 { $(callee.clone())(y) + native(y) + $table[1] })).unwrap();
        drop(f);
        assert_eq!(g.call(n), n + 2 + n + 1 + 2);
        let h = jit
            .compile(tick!(
                fn h(n: i64) -> i64 {
                    if n == 0 { 0 } else { h(n - 1) + 2 }
                }
            ))
            .unwrap();
        assert_eq!(h.call(50), 100);
    }
}

/// In a child: `warm` cycles, then a filter that lets nothing pass but the end of the process and what reports it, then
/// `work`.
fn filtered(warm: usize, work: impl FnOnce(&Jit, &Func<fn(i64) -> i64>)) {
    let jit = Jit::new().unwrap();
    let callee = jit.compile(tick!(|x: i64| -> i64 { x + 2 })).unwrap();
    let callee = &callee;
    cycles(&jit, callee, warm);
    println!("warm");
    let allow = |call| Rule::Call(call, libc::SECCOMP_RET_ALLOW);
    let rules = [allow(libc::SYS_exit_group), allow(libc::SYS_exit), allow(libc::SYS_write)];
    if filter_or_skip(&rules, libc::SECCOMP_RET_KILL_PROCESS) {
        work(&jit, callee);
        println!("{DONE}");
    }
    // The harness, and an orderly exit, would need further calls.
    // SAFETY: ends the process at once; standard output is flushed at each line.
    unsafe { libc::_exit(0) }
}

#[test]
fn the_steady_state_makes_no_system_call() {
    const TEST: &str = "the_steady_state_makes_no_system_call";
    match role().as_deref() {
        Some("control") => filtered(10, |_, _| {
            // SAFETY: takes nothing and changes nothing.
            let _ = unsafe { libc::getppid() };
        }),
        Some(_) => filtered(5000, |jit, callee| cycles(jit, callee, 10_000)),
        None => {
            // That the filter is strict, first.
            let control = child(TEST, "control");
            if String::from_utf8_lossy(&control.stdout).contains(NO_SECCOMP) {
                println!("skipped {TEST}: {NO_SECCOMP}");
                return;
            }
            assert_eq!(control.status.signal(), Some(libc::SIGSYS), "{control:?}");
            passes(TEST, "steady");
        }
    }
}
