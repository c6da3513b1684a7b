//! Compares the allocators with regalloc2's on functions of its generator: time per instruction, moves, and moves to and
//! from memory weighted by 10^loop depth.
//!
//! `cargo bench -p regalloc-linearscan --bench compare -- [functions] [seed] [bytes]`: `bytes` of random input make one
//! function, by default 2^8 to 2^15; the more, the denser it is with operands that name registers, and clobbers.
//! Times are minima of five runs with buffers kept (regalloc2's fastalloc keeps none), `fresh` those of the functions that
//! return an output of their own.

use arbitrary::Unstructured;
use regalloc_linearscan::ra2;
use regalloc2::fuzzing::func::{Func, Options as FuncOptions, machine_env};
use regalloc2::{Allocation, Block, Edit, Function, MachineEnv, Output, RegallocOptions};
use std::time::Instant;

const OPTIONS: FuncOptions = FuncOptions {
    reused_inputs: true,
    fixed_regs: true,
    fixed_nonallocatable: true,
    clobbers: true,
    reftypes: true,
    callsite_ish_constraints: true,
    ..FuncOptions::DEFAULT
};

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

fn generate(random: &mut Random, bytes: Option<u64>) -> Func {
    loop {
        let size = bytes.unwrap_or(1 << (8 + random.next() % 8));
        let bytes: Vec<u8> = (0..size).map(|_| random.next() as u8).collect();
        if let Ok(func) = Func::arbitrary_with_options(&mut Unstructured::new(&bytes), &OPTIONS) {
            return func;
        }
    }
}

/// 10^loop depth of the block of every instruction; the depth is at most 8.
fn weights(func: &Func) -> Vec<f64> {
    let blocks = func.num_blocks();
    let mut last_back_edge = vec![None; blocks];
    for b in 0..blocks {
        for succ in func.block_succs(Block::new(b)) {
            if succ.index() <= b {
                last_back_edge[succ.index()] = Some(b);
            }
        }
    }
    let mut weights = vec![0.0; func.num_insts()];
    for b in 0..blocks {
        let depth = (0..=b).filter(|&h| last_back_edge[h].is_some_and(|end| b <= end)).count();
        for i in func.block_insns(Block::new(b)).iter() {
            weights[i.index()] = 10f64.powi(depth.min(8) as i32);
        }
    }
    weights
}

#[derive(Default, Clone)]
struct Row {
    seconds: f64,
    reg_moves: f64,
    stack_moves: f64,
    weighted: f64,
    weighted_all: f64,
    log_ratio: f64,
    slots: usize,
}

fn measure(row: &mut Row, func: &Func, env: &MachineEnv, weights: &[f64], output: &Output) -> f64 {
    let is_stack = |a: Allocation| a.as_reg().is_none_or(|reg| env.fixed_stack_slots.contains(&reg));
    let mut cost = 0.0;
    for (point, Edit::Move { from, to }) in &output.edits {
        if from == to {
            continue;
        }
        let inst = point.inst().index() + usize::from(point.pos() == regalloc2::InstPosition::After);
        let weight = weights[inst.min(func.num_insts() - 1)];
        if is_stack(*from) || is_stack(*to) {
            row.stack_moves += 1.0;
            cost += weight;
        } else {
            row.reg_moves += 1.0;
        }
        row.weighted_all += weight;
    }
    row.weighted += cost;
    row.slots += output.num_spillslots;
    cost
}

fn main() {
    // Cargo adds `--bench`.
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench").map(|arg| match arg.parse::<u64>() {
        Ok(number) => number,
        Err(error) => {
            eprintln!("{arg}: {error}; arguments are [functions] [seed] [bytes]");
            std::process::exit(2);
        }
    });
    let functions = args.next().unwrap_or(300).max(1);
    let seed = args.next().unwrap_or(42);
    let bytes = args.next();
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let env = machine_env();
    let funcs: Vec<Func> = (0..functions).map(|_| generate(&mut random, bytes)).collect();
    let insts: usize = funcs.iter().map(Func::num_insts).sum();
    println!("{functions} functions, {insts} instructions, seed {seed}");

    // Runs once; clones the output if asked to.
    type Runner = Box<dyn FnMut(&Func, &MachineEnv, bool) -> Option<Output>>;
    let mut allocators: Vec<(String, Runner)> = Vec::new();
    for algorithm in [regalloc2::Algorithm::Ion, regalloc2::Algorithm::Fastalloc] {
        let options = RegallocOptions { algorithm, ..RegallocOptions::default() };
        let mut ctx = Box::new(regalloc2::Ctx::default());
        let run = move |func: &Func, env: &MachineEnv, keep: bool| {
            let output = regalloc2::run_with_ctx(func, env, &options, &mut ctx).expect("allocates");
            keep.then(|| output.clone())
        };
        allocators.push((format!("regalloc2 {algorithm:?}"), Box::new(run)));
    }
    for algorithm in ra2::Algorithm::ALL {
        let options = ra2::Options { algorithm, ..ra2::Options::default() };
        let mut ctx = ra2::Ctx::default();
        let run = move |func: &Func, env: &MachineEnv, keep: bool| {
            let output = ra2::run_with_ctx(func, env, &options, &mut ctx).expect("allocates");
            keep.then(|| output.clone())
        };
        allocators.push((format!("{algorithm:?}"), Box::new(run)));
    }

    for algorithm in [regalloc2::Algorithm::Ion, regalloc2::Algorithm::Fastalloc] {
        let options = RegallocOptions { algorithm, ..RegallocOptions::default() };
        let run =
            move |func: &Func, env: &MachineEnv, _: bool| Some(regalloc2::run(func, env, &options).expect("allocates"));
        allocators.push((format!("{algorithm:?}, fresh"), Box::new(run)));
    }
    let run = move |func: &Func, env: &MachineEnv, _: bool| {
        Some(ra2::run(func, env, &ra2::Options::default()).expect("allocates"))
    };
    allocators.push(("LinearScan, fresh".into(), Box::new(run)));
    let mut rows = vec![Row::default(); allocators.len()];
    for func in &funcs {
        let weights = weights(func);
        let mut base = 0.0;
        for (row, (_, run)) in rows.iter_mut().zip(&mut allocators) {
            let mut best = f64::INFINITY;
            let output = run(func, &env, true).expect("asked for");
            for _ in 0..5 {
                let start = Instant::now();
                run(func, &env, false);
                best = best.min(start.elapsed().as_secs_f64());
            }
            row.seconds += best;
            let cost = measure(row, func, &env, &weights, &output);
            if base == 0.0 {
                base = cost;
            }
            if cost > 0.0 && base > 0.0 {
                row.log_ratio += (cost / base).ln();
            }
        }
    }
    println!(
        "{:<20} {:>8} {:>10} {:>10} {:>9} {:>9} {:>9} {:>7}",
        "allocator", "ns/inst", "reg moves", "mem moves", "weighted", "geomean", "all", "slots"
    );
    for (row, (name, _)) in rows.iter().zip(&allocators) {
        println!(
            "{name:<20} {:>8.0} {:>10.3} {:>10.3} {:>9.3} {:>9.3} {:>9.3} {:>7.1}",
            row.seconds / insts as f64 * 1e9,
            row.reg_moves / insts as f64,
            row.stack_moves / insts as f64,
            row.weighted / rows[0].weighted,
            (row.log_ratio / functions as f64).exp(),
            row.weighted_all / rows[0].weighted_all,
            row.slots as f64 / functions as f64,
        );
    }
}
