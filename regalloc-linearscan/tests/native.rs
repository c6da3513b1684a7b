//! Random functions of every kind that regalloc2's generator does not make: several defs per vreg, critical edges,
//! constants, late uses, operands on the stack, few registers. The checker runs on each, as in every debug build.

use regalloc_linearscan::{
    Algorithm, Allocator, Block, Constraint, Error, FunctionBuilder, Machine, Operand, Options, PReg, PRegSet,
    RegClass, VReg, checker,
};

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const CLASSES: [RegClass; 2] = [RegClass::Int, RegClass::Float];

/// A machine with `registers` registers in each of two classes.
fn machine(registers: usize, scratch: bool) -> Machine {
    let all = |numbers: std::ops::Range<usize>| -> PRegSet {
        CLASSES.iter().flat_map(|&class| numbers.clone().map(move |n| PReg::new(n as u8, class))).collect()
    };
    let mut machine = Machine {
        preferred: all(0..registers / 2),
        non_preferred: all(registers / 2..registers),
        stack_regs: all(40..42),
        slot_size: [1, 2, 1],
        ..Machine::default()
    };
    if scratch {
        machine.scratch = CLASSES.iter().map(|&class| Some(PReg::new(30, class))).chain([None]).collect::<Vec<_>>()
            [..3]
            .try_into()
            .expect("three classes");
    }
    machine
}

/// A function whose variables are all defined in the entry, so that every use is of something.
fn generate(random: &mut Random, registers: usize) -> FunctionBuilder {
    let mut b = FunctionBuilder::new();
    let blocks = 1 + random.below(8);
    let constants: Vec<VReg> = (0..random.below(3)).map(|_| b.constant(CLASSES[random.below(2)])).collect();
    let variables: Vec<VReg> = (0..1 + random.below(12)).map(|_| b.vreg(CLASSES[random.below(2)])).collect();
    let classes: Vec<RegClass> = b.function().classes.to_vec();
    let class = |v: VReg| classes[v.0 as usize];
    let mut params: Vec<Vec<VReg>> = vec![Vec::new()];
    for _ in 1..blocks {
        // Parameters are variables, too: they are assigned on the edges.
        let mut own: Vec<VReg> = Vec::new();
        for _ in 0..random.below(3) {
            let v = variables[random.below(variables.len())];
            if !own.contains(&v) {
                own.push(v);
            }
        }
        params.push(own);
    }
    for (block, params) in params.iter().enumerate() {
        b.block(params);
        if block == 0 {
            for &v in constants.iter().chain(&variables) {
                b.inst(&[Operand::late_def(v, if random.one_in(2) { Constraint::Any } else { Constraint::Reg })]);
            }
        }
        for _ in 0..random.below(8) {
            inst(random, &mut b, registers, &variables, &constants, &class);
        }
        // A terminator, with or without operands.
        let mut operands = Vec::new();
        if random.one_in(2) {
            operands.push(Operand::early_use(variables[random.below(variables.len())], Constraint::Reg));
        }
        b.inst(&operands);
    }
    for from in 0..blocks {
        for _ in 0..random.below(3).min(blocks - 1) {
            let to = 1 + random.below(blocks - 1);
            let args: Option<Vec<VReg>> = params[to]
                .iter()
                .map(|&p| {
                    let mut same = variables.iter().chain(&constants).copied().filter(|&v| class(v) == class(p));
                    let count = same.clone().count();
                    same.nth(random.below(count.max(1)))
                })
                .collect();
            b.edge(Block(from as u32), Block(to as u32), &args.expect("a parameter is a variable of its class"));
        }
    }
    b
}

fn inst(
    random: &mut Random,
    b: &mut FunctionBuilder,
    registers: usize,
    variables: &[VReg],
    constants: &[VReg],
    class: &impl Fn(VReg) -> RegClass,
) {
    let mut operands: Vec<Operand> = Vec::new();
    // At most as many operands of each class as there are registers for them.
    let budget = registers - 1;
    let mut fixed_early: Vec<PReg> = Vec::new();
    let mut fixed_late: Vec<PReg> = Vec::new();
    let mut clobbers = PRegSet::EMPTY;
    let late_def = random.one_in(2).then(|| variables[random.below(variables.len())]);
    for _ in 0..random.below(budget.min(4) + 1) {
        let all = variables.len() + constants.len();
        let v = *variables.iter().chain(constants).nth(random.below(all)).expect("below");
        let constraint = match random.below(8) {
            0..3 => Constraint::Any,
            3..6 => Constraint::Reg,
            6 => Constraint::Stack,
            _ => {
                let reg = PReg::new([0, 1, 40, 41][random.below(4)], class(v));
                if fixed_early.contains(&reg) {
                    continue;
                }
                fixed_early.push(reg);
                Constraint::Fixed(reg)
            }
        };
        let is_late = random.one_in(6) && late_def != Some(v);
        if let (true, Constraint::Fixed(reg)) = (is_late, constraint) {
            fixed_late.push(reg);
        }
        operands.push(if is_late { Operand::late_use(v, constraint) } else { Operand::early_use(v, constraint) });
    }
    if let Some(v) = late_def {
        let input = operands.iter().position(|op| {
            class(op.vreg) == class(v)
                && op.pos == regalloc_linearscan::OperandPos::Early
                && matches!(op.constraint, Constraint::Any | Constraint::Reg)
        });
        let constraint = match (random.below(6), input) {
            (0..2, Some(input)) => Constraint::Reuse(input as u8),
            (2, _) => Constraint::Any,
            (3, _) => Constraint::Stack,
            (4, _) => {
                let reg = PReg::new([0, 1, 40, 41][random.below(4)], class(v));
                if fixed_late.contains(&reg) { Constraint::Any } else { Constraint::Fixed(reg) }
            }
            _ => Constraint::Reg,
        };
        operands.push(Operand::late_def(v, constraint));
    }
    if operands.is_empty() || random.one_in(5) && fixed_late.is_empty() {
        // A call: everything but one register is destroyed.
        let is_call = operands.iter().all(|op| {
            op.pos == regalloc_linearscan::OperandPos::Early
                || matches!(op.constraint, Constraint::Any | Constraint::Fixed(_))
        });
        let uses_late = operands.iter().any(|op| {
            op.kind == regalloc_linearscan::OperandKind::Use && op.pos == regalloc_linearscan::OperandPos::Late
        });
        if is_call && !uses_late {
            clobbers = (0..registers - 1).flat_map(|n| CLASSES.map(|class| PReg::new(n as u8, class))).collect();
        }
    }
    if clobbers.is_empty() {
        b.inst(&operands);
    } else {
        b.inst_with_clobbers(&operands, clobbers);
    }
}

/// Prints the function when a test fails.
struct OnFailure<'a>(&'a FunctionBuilder, Machine);

impl Drop for OnFailure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let f = self.0.function();
            println!("{:?}", self.1);
            for b in 0..f.num_blocks() {
                println!("block {b} {:?}", f.params.get(b));
                for i in f.insts(b) {
                    let clobbers = f.clobbers.iter().find(|c| c.0.0 as usize == i).map(|c| c.1);
                    println!("  {i}: {:?} {clobbers:?}", f.operands.get(i));
                }
                for e in f.succs.range(b) {
                    println!("  -> {:?} {:?}", f.succs.items[e], f.args.get(e));
                }
            }
        }
    }
}

#[test]
fn random_functions() {
    let functions = std::env::var("REGALLOC_FUNCTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(1500);
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let mut allocator = Allocator::new();
    let mut refused = 0;
    for n in 0..functions {
        let registers = [4, 5, 8, 16][random.below(4)];
        let machine = machine(registers, random.one_in(3));
        let b = generate(&mut random, registers);
        let _report = OnFailure(&b, machine);
        let f = b.function();
        for algorithm in Algorithm::ALL {
            let random_seed = if random.one_in(3) { random.next() | 1 } else { 0 };
            match allocator.run(&f, &machine, &Options { algorithm, random_seed, ..Options::default() }) {
                Ok(output) => checker::check(&f, &machine, output).unwrap_or_else(|finding| {
                    panic!("function {n}, {algorithm:?}, seed {random_seed}: {finding}\n{f:#?}");
                }),
                // The generator does not count how many registers fixed operands take from the others.
                Err(Error::TooFewRegisters(..)) => refused += 1,
                Err(error) => panic!("function {n}, {algorithm:?}: {error}\n{f:#?}"),
            }
        }
    }
    assert!(refused * 100 < functions * 5, "{refused} refused");
}
