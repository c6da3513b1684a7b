//! Random functions, as text: most of them verify, and most loads are neither all proved nor all refused.

use fastrand::Rng;

/// Numbers at which something might change.
pub const EDGES: [u64; 22] = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    31,
    60,
    63,
    64,
    65,
    255,
    4096,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 63,
    u64::MAX - 3,
    u64::MAX,
];
const UNITS: [u32; 5] = [0, 1, 16, 64, 64];
const BINARY: [&str; 10] = ["add", "sub", "mul", "and", "or", "xor", "shl", "shr", "div", "rem"];
const LOADS: [&str; 8] = ["ld1le", "ld2le", "ld4le", "ld8le", "ld1be", "ld2be", "ld4be", "ld8be"];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

struct Generator<'a> {
    rng: &'a mut Rng,
    out: String,
    /// Counters of open loops.
    counters: Vec<u32>,
    depth: usize,
    /// Statements still to be written.
    budget: u32,
    acl: bool,
}

/// A random function.
pub fn function(rng: &mut Rng) -> String {
    let acl = rng.u32(..8) == 0;
    let unit = UNITS[rng.usize(..UNITS.len())];
    let kind = if acl { "acl" } else { "owns" };
    let out = format!(".kind {kind}\n.unit {unit}\n.fuel 200000\n.type A\n.type B = 5\n");
    let budget = rng.u32(1..40);
    let mut generator = Generator { rng, out, counters: Vec::new(), depth: 0, budget, acl };
    while generator.budget > 0 {
        generator.statement();
    }
    generator.out
}

impl Generator<'_> {
    fn line(&mut self, text: &str) {
        for _ in 0..self.depth {
            self.out.push_str("  ");
        }
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn register(&mut self) -> u32 {
        // A few registers are used much, so that values meet.
        if self.rng.u32(..10) == 0 { self.rng.u32(..32) } else { self.rng.u32(..6) }
    }

    /// A register that may be written.
    fn target(&mut self) -> u32 {
        loop {
            let register = self.register();
            if !self.counters.contains(&register) {
                return register;
            }
        }
    }

    fn number(&mut self) -> u64 {
        match self.rng.u32(..4) {
            0 => EDGES[self.rng.usize(..EDGES.len())],
            1 => self.rng.u64(..),
            _ => self.rng.u64(..70),
        }
    }

    fn value(&mut self) -> String {
        if self.rng.u32(..3) > 0 { format!("r{}", self.register()) } else { self.number().to_string() }
    }

    fn statement(&mut self) {
        self.budget = self.budget.saturating_sub(1);
        let (x, y) = (self.value(), self.value());
        match self.rng.u32(..28) {
            0..=7 => {
                let (op, d) = (BINARY[self.rng.usize(..10)], self.target());
                self.line(&format!("{op} r{d}, {x}, {y}"));
            }
            8 => {
                let d = self.target();
                let op = if self.rng.bool() { format!("mv r{d}, {x}") } else { format!("li r{d}, {}", self.number()) };
                self.line(&op);
            }
            9..=14 => self.load(),
            15..=17 => self.conditional(&x, &y),
            18..=20 => self.counted(&x),
            21 | 22 => {
                let name = if self.rng.bool() { "A" } else { "B" };
                self.line(&format!("own {x}, {y}, {name}"));
            }
            23 => {
                let d = self.target();
                let what = self.rng.u32(..if self.acl { 4 } else { 2 });
                let text = match what {
                    2 => format!("now r{d}"),
                    3 => format!("cred r{d}, {}", self.rng.u32(..8)),
                    k => format!("arg r{d}, {k}"),
                };
                self.line(&text);
            }
            24 | 25 if !self.counters.is_empty() => {
                let leave = if self.rng.bool() { "break" } else { "next" };
                self.line(leave);
            }
            27 if self.rng.u32(..4) == 0 => {
                let text = if self.rng.bool() { "ret".to_owned() } else { format!("fail {}", self.rng.u32(..)) };
                self.line(&text);
            }
            26 => {
                // An element of an array, whose index the machine can scale.
                let (index, d) = (self.target(), self.target());
                if index != d {
                    let log2 = self.rng.u32(..4);
                    let mask = self.rng.u32(1..8);
                    self.line(&format!("and r{index}, r{index}, {mask}"));
                    let scale = if self.rng.bool() {
                        format!("shl r{d}, r{index}, {log2}")
                    } else {
                        format!("mul r{d}, r{index}, {}", 1 << log2)
                    };
                    self.line(&scale);
                    let op = LOADS[log2 as usize + if self.rng.bool() { 4 } else { 0 }];
                    let value = self.target();
                    self.line(&format!("{op} r{value}, [r{d}]"));
                }
            }
            _ => {
                // An index within sight of the unit.
                let (d, r) = (self.target(), self.register());
                let text = match self.rng.u32(..3) {
                    0 => format!("and r{d}, r{r}, {}", self.rng.u32(..64)),
                    1 => format!("rem r{d}, r{r}, {}", self.rng.u32(..70)),
                    _ => format!("add r{d}, r{d}, {}", self.rng.u32(..9)),
                };
                self.line(&text);
            }
        }
    }

    fn load(&mut self) {
        let (op, d, base) = (LOADS[self.rng.usize(..8)], self.target(), self.register());
        let address = match self.rng.u32(..8) {
            0 => format!("{}", self.rng.u32(..66)),
            1 => format!("r{base} - {}", self.rng.u32(..20)),
            2 => format!("r{base} + {}", self.number()),
            3..=5 => format!("r{base} + {}", self.rng.u32(..40)),
            _ => format!("r{base}"),
        };
        self.line(&format!("{op} r{d}, [{address}]"));
    }

    fn block(&mut self) {
        self.depth += 1;
        for _ in 0..self.rng.u32(..5) {
            if self.budget > 0 {
                self.statement();
            }
        }
        self.depth -= 1;
    }

    fn conditional(&mut self, x: &str, y: &str) {
        if self.depth >= 8 {
            return;
        }
        let comparison = COMPARISONS[self.rng.usize(..6)];
        self.line(&format!("if {x} {comparison} {y}"));
        self.block();
        if self.rng.bool() {
            self.line("else");
            self.block();
        }
        self.line("end");
    }

    fn counted(&mut self, count: &str) {
        if self.depth >= 8 || self.counters.len() >= 4 {
            return;
        }
        let max = self.rng.u32(..12);
        let counter = self.target();
        let count = if self.rng.u32(..3) == 0 { count.to_owned() } else { self.rng.u32(..=max).to_string() };
        self.line(&format!("loop r{counter}, {count}, {max}"));
        self.counters.push(counter);
        self.block();
        self.counters.pop();
        self.line("end");
    }
}

/// Random bytes, mostly small numbers.
pub fn bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    (0..len).map(|_| if rng.bool() { rng.u8(..) } else { rng.u8(..4) }).collect()
}
