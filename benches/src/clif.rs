//! Peer of the Cranelift tier: W1 to W6 written in CLIF by hand, compiled and placed by `cranelift-jit`.
//!
//! As somebody would write them who uses Cranelift directly: values, and variables of `cranelift-frontend` for what a loop changes,
//! one block for each place that control comes to, contexts reused. The options are those of the tier: `opt_level=speed`, no checks of the stack. What is timed is
//! building the CLIF, `define_function` and `finalize_definitions`; `free_memory` is not.
#![allow(unsafe_code, reason = "frees the memory of a module")]

use std::hint::black_box;
use std::rc::Rc;

use cranelift_codegen::Context;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{AbiParam, Block, InstBuilder, MemFlagsData, Type, Value, types};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, default_libcall_names};
use iced_x86::{Decoder, DecoderOptions};

use crate::assembled::callable;
use crate::candidates::Candidate;
use crate::counts::Count;
use crate::tsc::cycles;
use crate::workloads::w2_horner::COEFFICIENTS;
use crate::workloads::w3_dot::CONSTANTS;
use crate::workloads::w4_query::QUERY;
use crate::workloads::w6_large::{Kind, OPS, VARIABLES};
use crate::workloads::{Program, Workload, w1_power, w5_loop};

/// The name of this tier in the report.
pub const TIER: &str = "clif-jit";

/// The candidates of this tier.
///
/// # Panics
/// If Cranelift does not know this machine.
#[must_use]
pub fn candidates() -> Vec<Box<dyn Candidate>> {
    let peer = |workload| Box::new(Peer { workload, generator: Generator::of(workload), module: module() });
    Workload::ALL.map(|workload| peer(workload) as Box<dyn Candidate>).into()
}

/// Builds the CLIF of a workload, without compiling it: the cycles that takes.
///
/// # Panics
/// If Cranelift does not know this machine.
pub fn building(workload: Workload) -> impl FnMut() -> u64 {
    let (mut generator, module) = (Generator::of(workload), module());
    move || {
        cycles(|| {
            generator.clear(&module);
            generator.build(&module);
        })
    }
}

fn module() -> JITModule {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("regalloc_algorithm", "backtracking"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
        ("enable_probestack", "false"),
        ("unwind_info", "false"),
        ("is_pic", "false"),
    ] {
        flags.set(name, value).expect("a setting of Cranelift");
    }
    let isa = cranelift_native::builder().expect("a machine that Cranelift knows");
    let isa = isa.finish(settings::Flags::new(flags)).expect("settings that go together");
    JITModule::new(JITBuilder::with_isa(isa, default_libcall_names()))
}

/// How one workload is generated.
struct Generator {
    context: Context,
    builder: FunctionBuilderContext,
    /// How many 64-bit parameters the function has.
    params: usize,
    ret: Option<Type>,
    build: fn(&mut FunctionBuilder<'_>, &[Value]),
}

impl Generator {
    fn of(workload: Workload) -> Generator {
        let (params, ret, build): (_, _, fn(&mut FunctionBuilder<'_>, &[Value])) = match workload {
            Workload::Empty => (0, None, empty),
            Workload::W1 => (1, Some(types::I64), power),
            Workload::W2 => (1, Some(types::I64), horner),
            Workload::W3 => (1, Some(types::I64), dot),
            Workload::W4 => (1, Some(types::I8), query),
            Workload::W5 => (2, Some(types::I64), hash_loop),
            Workload::W6 => (1, Some(types::I64), large),
        };
        Generator { context: Context::new(), builder: FunctionBuilderContext::new(), params, ret, build }
    }

    /// Empties the context but for the signature.
    fn clear(&mut self, module: &JITModule) {
        module.clear_context(&mut self.context);
        let signature = &mut self.context.func.signature;
        signature.params.resize(self.params, AbiParam::new(types::I64));
        let ret = |ty| if ty == types::I8 { AbiParam::new(ty).uext() } else { AbiParam::new(ty) };
        signature.returns.extend(self.ret.map(ret));
    }

    /// Builds the CLIF in the context, whose function is empty but for the signature.
    fn build(&mut self, module: &JITModule) {
        let mut b = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        b.seal_block(entry);
        let params: [Value; 2] =
            std::array::from_fn(|i| b.block_params(entry).get(i).copied().unwrap_or(Value::from_u32(0)));
        (self.build)(&mut b, &params[..self.params]);
        b.finalize(module.target_config());
    }

    /// Generates the function: where it is. The context holds it until the next one.
    fn generate(&mut self, module: &mut JITModule) -> *const u8 {
        self.clear(module);
        let id = module.declare_anonymous_function(&self.context.func.signature).expect("a new function");
        self.build(module);
        module.define_function(id, &mut self.context).expect("CLIF that is right");
        module.finalize_definitions().expect("executable memory");
        module.get_finalized_function(id)
    }
}

struct Peer {
    workload: Workload,
    generator: Generator,
    /// What the batch under way is generated into.
    module: JITModule,
}

impl Candidate for Peer {
    fn workload(&self) -> Workload {
        self.workload
    }

    fn tier(&self) -> &str {
        TIER
    }

    fn fragments(&self) -> Option<u32> {
        None
    }

    fn thinned(&self) -> u32 {
        50
    }

    fn compile(&mut self, times: u32) {
        for _ in 0..times {
            black_box(self.generator.generate(&mut self.module));
        }
    }

    fn retire(&mut self) {
        let old = std::mem::replace(&mut self.module, module());
        // SAFETY: nobody has kept a function of the batch.
        unsafe { old.free_memory() }
    }

    fn program(&mut self) -> Result<Program, String> {
        let mut module = module();
        let code = self.generator.generate(&mut module);
        let compiled = self.generator.context.compiled_code().ok_or("there is no code")?;
        let bytes = compiled.code_buffer();
        let size = Count { bytes: bytes.len(), ..Count::decode(without_constants(bytes)) };
        Ok(callable::<2>(self.workload, size, code, Rc::new(module)))
    }
}

/// Code without the constants behind it, which are found by the instructions that load them.
fn without_constants(code: &[u8]) -> &[u8] {
    let mut end = code.len();
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    while decoder.position() < end {
        let instruction = decoder.decode();
        if instruction.is_ip_rel_memory_operand() {
            end = end.min(instruction.ip_rel_memory_address() as usize);
        }
    }
    let is_padding = |&&byte: &&u8| byte == 0;
    &code[..end - code[..end].iter().rev().take_while(is_padding).count() * usize::from(end < code.len())]
}

// ---------------------------------------------------------------- the workloads

/// A load that does not trap, of the word at an index.
fn word(b: &mut FunctionBuilder<'_>, base: Value, index: usize) -> Value {
    b.ins().load(types::I64, MemFlagsData::new().with_notrap(), base, 8 * index as i32)
}

/// Ends the current block with a branch; nothing else is passed.
fn branch(b: &mut FunctionBuilder<'_>, condition: Value, then: Block, otherwise: Block) {
    b.ins().brif(condition, then, &[], otherwise, &[]);
}

/// Goes on in a block to which all ways have been made.
fn go_on(b: &mut FunctionBuilder<'_>, block: Block) {
    b.switch_to_block(block);
    b.seal_block(block);
}

fn empty(b: &mut FunctionBuilder<'_>, _: &[Value]) {
    b.ins().return_(&[]);
}

fn power(b: &mut FunctionBuilder<'_>, params: &[Value]) {
    let x = params[0];
    let n = black_box(w1_power::EXPONENT);
    let mut result = x;
    for bit in (0..n.ilog2()).rev() {
        result = b.ins().imul(result, result);
        if n >> bit & 1 == 1 {
            result = b.ins().imul(result, x);
        }
    }
    b.ins().return_(&[result]);
}

fn horner(b: &mut FunctionBuilder<'_>, params: &[Value]) {
    let [lower @ .., highest] = black_box(&COEFFICIENTS);
    let mut sum = b.ins().iconst(types::I64, *highest);
    for &c in lower.iter().rev() {
        let c = b.ins().iconst(types::I64, c);
        let product = b.ins().imul(sum, params[0]);
        sum = b.ins().iadd(product, c);
    }
    b.ins().return_(&[sum]);
}

fn dot(b: &mut FunctionBuilder<'_>, params: &[Value]) {
    let mut sum = None;
    for (i, &c) in black_box(&CONSTANTS).iter().enumerate() {
        if c != 0 {
            let x = word(b, params[0], i);
            let product = b.ins().imul_imm_s(x, c);
            sum = Some(sum.map_or(product, |sum| b.ins().iadd(sum, product)));
        }
    }
    let sum = sum.unwrap_or_else(|| b.ins().iconst(types::I64, 0));
    b.ins().return_(&[sum]);
}

fn query(b: &mut FunctionBuilder<'_>, params: &[Value]) {
    let q = black_box(&QUERY);
    let [first, other, last, sums, even, yes, no] = [(); 7].map(|()| b.create_block());
    let compare = |b: &mut FunctionBuilder<'_>, field, code, constant: i8| {
        let x = word(b, params[0], field);
        b.ins().icmp_imm_s(code, x, i64::from(constant))
    };
    let is = compare(b, 0, IntCC::SignedGreaterThan, q.a_above);
    branch(b, is, first, other);
    go_on(b, first);
    let is = compare(b, 1, IntCC::SignedLessThanOrEqual, q.b_most);
    branch(b, is, sums, other);
    go_on(b, other);
    let is = compare(b, 2, IntCC::Equal, q.c_is);
    branch(b, is, last, no);
    go_on(b, last);
    let is = compare(b, 3, IntCC::NotEqual, q.d_not);
    branch(b, is, sums, no);
    go_on(b, sums);
    let (e, f, g) = (word(b, params[0], 4), word(b, params[0], 5), word(b, params[0], 6));
    let sum = b.ins().iadd(e, f);
    let is = b.ins().icmp(IntCC::SignedGreaterThan, sum, g);
    branch(b, is, yes, even);
    go_on(b, even);
    let h = word(b, params[0], 7);
    let odd = b.ins().band_imm_u(h, 1);
    branch(b, odd, no, yes);
    for (block, value) in [(yes, 1), (no, 0)] {
        go_on(b, block);
        let value = b.ins().iconst(types::I8, value);
        b.ins().return_(&[value]);
    }
}

fn hash_loop(b: &mut FunctionBuilder<'_>, params: &[Value]) {
    let (factor, c) = (black_box(w5_loop::FACTOR), black_box(w5_loop::ADDEND));
    let (p, n) = (params[0], params[1]);
    let [top, add, next, end] = [(); 4].map(|()| b.create_block());
    let [i, s] = [(); 2].map(|()| b.declare_var(types::I64));
    let zero = b.ins().iconst(types::I64, 0);
    b.def_var(i, zero);
    b.def_var(s, zero);
    let some = b.ins().icmp(IntCC::SignedGreaterThan, n, zero);
    b.ins().brif(some, top, &[], end, &[]);

    b.switch_to_block(top);
    let (at, hash) = (b.use_var(i), b.use_var(s));
    let product = b.ins().imul_imm_s(hash, i64::from(factor));
    let offset = b.ins().ishl_imm_u(at, 3);
    let place = b.ins().iadd(p, offset);
    let x = word(b, place, 0);
    let mixed = b.ins().bxor(product, x);
    b.def_var(s, mixed);
    let odd = b.ins().band_imm_u(mixed, 1);
    b.ins().brif(odd, add, &[], next, &[]);

    go_on(b, add);
    let c = b.ins().iconst(types::I64, c);
    let sum = b.ins().iadd(mixed, c);
    b.def_var(s, sum);
    b.ins().jump(next, &[]);

    go_on(b, next);
    let following = b.ins().iadd_imm_s(at, 1);
    b.def_var(i, following);
    let more = b.ins().icmp(IntCC::SignedLessThan, following, n);
    b.ins().brif(more, top, &[], end, &[]);
    b.seal_block(top);

    go_on(b, end);
    let result = b.use_var(s);
    b.ins().return_(&[result]);
}

fn large(b: &mut FunctionBuilder<'_>, params: &[Value]) {
    let mut v: [Value; VARIABLES] = std::array::from_fn(|i| word(b, params[0], i));
    for op in black_box(&OPS) {
        let (d, s) = (usize::from(op.d), usize::from(op.s));
        v[d] = match op.kind {
            Kind::Add => b.ins().iadd(v[d], v[s]),
            Kind::Sub => b.ins().isub(v[d], v[s]),
            Kind::Mul => b.ins().imul(v[d], v[s]),
            Kind::Xor => b.ins().bxor(v[d], v[s]),
            Kind::And => b.ins().band(v[d], v[s]),
            Kind::Shl => b.ins().ishl_imm_u(v[d], i64::from(op.s)),
        };
    }
    let all = v.into_iter().reduce(|all, x| b.ins().bxor(all, x)).expect("there are variables");
    b.ins().return_(&[all]);
}
