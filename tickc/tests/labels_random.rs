//! Random programs of blocks that jump to each other, against an evaluator: variables of the function, of blocks and locals, in
//! registers and in slots, loops and arms that are jumped into, tables, calls.
//!
//! `TICKC_LABEL_CASES` is the number of programs (default 200).
#![forbid(unsafe_code)]

mod support;

use tickc::prelude::*;

/// Locals that a program works on, beside four variables of the function.
const LOCALS: usize = 6;
const VARIABLES: usize = 4 + LOCALS;

extern "C" fn mix(x: i64, y: i64) -> i64 {
    (x ^ y.rotate_left(9)).wrapping_mul(0x9e37_79b9)
}

#[derive(Clone, Debug)]
enum Op {
    Add(usize, usize),
    Mul(usize, i64),
    Call(usize, usize, usize),
    /// Through a `let` of the block, read twice and then for the last time.
    Let(usize, usize),
    /// A loop whose body places a label that is jumped to from elsewhere.
    Loop(usize, usize),
    /// An arm whose value goes through a join; the second one places a label.
    Arm(usize, usize),
    /// Jumps to a label if a variable is odd.
    Jump(usize, usize),
    /// Jumps by a table from a variable.
    Table(usize, Vec<usize>),
}

#[derive(Debug)]
struct Program {
    /// Block k begins with label k.
    blocks: Vec<Vec<Op>>,
    /// Labels within loops and arms have numbers above.
    labels: usize,
}

struct Random(u64);
impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n
    }
}

fn generate(seed: u64) -> Program {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let count = 2 + random.below(8);
    let mut inner = count;
    let mut blocks: Vec<Vec<Op>> = (0..count)
        .map(|_| {
            (0..1 + random.below(6))
                .map(|_| {
                    let (a, b, c) = (random.below(VARIABLES), random.below(VARIABLES), random.below(VARIABLES));
                    match random.below(8) {
                        0 => Op::Add(a, b),
                        1 => Op::Mul(a, random.below(20) as i64 - 5),
                        2 => Op::Call(a, b, c),
                        3 => Op::Let(a, b),
                        4 => {
                            inner += 1;
                            Op::Loop(a, inner - 1)
                        }
                        5 => {
                            inner += 1;
                            Op::Arm(a, inner - 1)
                        }
                        6 => Op::Table(a, vec![0; 1 + random.below(5)]),
                        _ => Op::Jump(a, 0),
                    }
                })
                .collect()
        })
        .collect();
    for op in blocks.iter_mut().flatten() {
        match op {
            Op::Jump(_, to) => *to = random.below(inner),
            Op::Table(_, targets) => targets.iter_mut().for_each(|to| *to = random.below(inner)),
            _ => {}
        }
    }
    Program { blocks, labels: inner }
}

/// Where control is: block, operation in it, and whether at the label within that operation.
type At = (usize, usize, bool);

/// The values in the end, with `fuel` labels of blocks and rounds to pass.
fn evaluate(program: &Program, arguments: [i64; 4], mut fuel: i64) -> i64 {
    let mut v = [0i64; VARIABLES];
    v[..4].copy_from_slice(&arguments);
    let place = |label: usize| -> At {
        if label < program.blocks.len() {
            return (label, 0, false);
        }
        for (b, block) in program.blocks.iter().enumerate() {
            for (k, op) in block.iter().enumerate() {
                if matches!(op, Op::Loop(_, l) | Op::Arm(_, l) if *l == label) {
                    return (b, k, true);
                }
            }
        }
        unreachable!("a label is placed")
    };
    let (mut block, mut k, mut inside) = (0, 0, false);
    'run: while block < program.blocks.len() {
        if k == 0 && !inside {
            fuel -= 1;
            if fuel <= 0 {
                break;
            }
        }
        while let Some(op) = program.blocks[block].get(k) {
            match op {
                &Op::Add(a, b) => v[a] = v[a].wrapping_add(v[b]),
                &Op::Mul(a, c) => v[a] = v[a].wrapping_mul(c),
                &Op::Call(a, b, c) => v[a] = mix(v[b], v[c]),
                &Op::Let(a, b) => {
                    let t = v[a].wrapping_mul(3);
                    v[b] ^= t;
                    v[a] = t.wrapping_add(t >> 3);
                }
                &Op::Loop(a, _) => loop {
                    if !inside {
                        v[a] = v[a].wrapping_add(7);
                    }
                    inside = false;
                    fuel -= 1;
                    if fuel <= 0 {
                        break 'run;
                    }
                    if v[a] % 3 == 0 {
                        break;
                    }
                },
                &Op::Arm(a, _) => {
                    v[a] = if !inside && v[a] > 0 {
                        v[a].wrapping_sub(5)
                    } else {
                        v[(a + 1) % VARIABLES] ^= 1;
                        v[a].wrapping_mul(2)
                    };
                    inside = false;
                }
                &Op::Jump(a, to) => {
                    if v[a] & 1 == 1 {
                        fuel -= 1;
                        if fuel <= 0 {
                            break 'run;
                        }
                        (block, k, inside) = place(to);
                        continue 'run;
                    }
                }
                Op::Table(a, targets) => {
                    let i = (v[*a] & 7) as usize;
                    if i < targets.len() {
                        fuel -= 1;
                        if fuel <= 0 {
                            break 'run;
                        }
                        (block, k, inside) = place(targets[i]);
                        continue 'run;
                    }
                }
            }
            k += 1;
        }
        (block, k) = (block + 1, 0);
    }
    v.iter().fold(0, |hash, &x| mix(hash, x))
}

/// Four arguments and the fuel.
type Run = fn(i64, i64, i64, i64, i64) -> i64;

fn compile(program: &Program) -> Func<Run> {
    let labels: Vec<Label> = (0..program.labels).map(|_| Label::new()).collect();
    let end = Label::new();
    let locals: Vec<Var<i64>> = (0..LOCALS).map(|_| Var::local()).collect();
    let fuel = Var::<i64>::local();
    let pass = || {
        tick!({
            @fuel -= 1;
            if @fuel <= 0 { @(end.goto()) }
        })
    };
    let staged = tick!(|a: i64, b: i64, c: i64, d: i64, limit: i64| -> i64 {
        let mut a = a;
        let mut b = b;
        let mut c = c;
        let mut d = d;
        @fuel = limit;
        for (number, block) in $(program.blocks.iter().enumerate()) {
            @(labels[number].here());
            @(pass());
            for op in $(block.iter()) {
                @({
                    let v = |k: usize| if k < 4 { [a, b, c, d][k] } else { locals[k - 4] };
                    let code: Code<'_, ()> = match op {
                        &Op::Add(a, b) => {
                            let (a, b) = (v(a), v(b));
                            tick!(@a += @b)
                        }
                        &Op::Mul(a, k) => {
                            let a = v(a);
                            tick!(@a = @a * $k)
                        }
                        &Op::Call(a, b, c) => {
                            let (a, b, c) = (v(a), v(b), v(c));
                            tick!(@a = mix(@b, @c))
                        }
                        &Op::Let(a, b) => {
                            let (a, b) = (v(a), v(b));
                            tick!({
                                let t = @a * 3;
                                @b = @b ^ t;
                                @a = t + (t >> 3);
                            })
                        }
                        &Op::Loop(a, label) => {
                            let (a, label) = (v(a), labels[label]);
                            tick!(loop {
                                @a += 7;
                                @(label.here());
                                @(pass());
                                if @a % 3 == 0 { break }
                            })
                        }
                        &Op::Arm(a, label) => {
                            let (next, a, label) = (v((a + 1) % VARIABLES), v(a), labels[label]);
                            tick!({
                                @a = if @a > 0 {
                                    @a - 5
                                } else {
                                    @(label.here());
                                    @next = @next ^ 1;
                                    @a * 2
                                };
                            })
                        }
                        &Op::Jump(a, to) => {
                            let (a, to) = (v(a), labels[to]);
                            tick!(if @a & 1 == 1 { @(pass()); @(to.goto()) })
                        }
                        Op::Table(a, targets) => {
                            let a = v(*a);
                            let targets: Vec<Label> = targets.iter().map(|&to| labels[to]).collect();
                            tick!(move {
                                let i = (@a & 7) as usize;
                                if i < $(targets.len()) {
                                    @(pass());
                                    @({ let index = tick!(@i); Label::table(index, &targets) })
                                }
                            })
                        }
                    };
                    code
                })
            }
        }
        @(end.here());
        let mut hash = 0;
        for k in $(0..VARIABLES) {
            hash = mix(hash, @(if k < 4 { [a, b, c, d][k] } else { locals[k - 4] }));
        }
        hash
    });
    support::jit().compile(staged).unwrap_or_else(|error| panic!("{error}\n{program:?}"))
}

#[test]
fn random_programs_with_labels() {
    let cases = std::env::var("TICKC_LABEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let mut passed_labels = 0;
    for seed in 1..=cases {
        let program = generate(seed);
        let f = compile(&program);
        for (k, fuel) in [1, 5, 40, 300].into_iter().enumerate() {
            let arguments = [seed as i64, -3, k as i64 * 1001, i64::MAX - seed as i64];
            let [a, b, c, d] = arguments;
            let want = evaluate(&program, arguments, fuel);
            assert_eq!(f.call(a, b, c, d, fuel), want, "seed {seed}, fuel {fuel}: {program:?}\n{}", f.disassemble());
        }
        passed_labels += program.labels;
    }
    println!("{cases} programs, {passed_labels} labels");
}
