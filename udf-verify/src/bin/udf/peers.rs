//! The same work in other engines.
#![allow(unsafe_code, reason = "rbpf's compiled code checks nothing")]

use std::sync::Arc;

use solana_sbpf::aligned_memory::AlignedMemory;
use solana_sbpf::assembler::assemble;
use solana_sbpf::ebpf::{HOST_ALIGN, MM_HEAP_START, MM_INPUT_START, MM_STACK_START};
use solana_sbpf::memory_region::{MemoryMapping, MemoryRegion};
use solana_sbpf::program::{BuiltinProgram, SBPFVersion};
use solana_sbpf::verifier::RequisiteVerifier;
use solana_sbpf::vm::{Config, ContextObject, EbpfVm};

/// Sum plus count of the 1,024 numbers that are not zero, in eBPF. r1 points to the block.
const SUM: [[u8; 8]; 12] = [
    [0xb7, 0x00, 0, 0, 0, 0, 0, 0],       // r0 = 0
    [0xb7, 0x03, 0, 0, 0, 0, 0, 0],       // r3 = 0
    [0xbf, 0x12, 0, 0, 0, 0, 0, 0],       // r2 = r1
    [0x07, 0x02, 0, 0, 0, 0x10, 0, 0],    // r2 += 4096
    [0x61, 0x14, 0, 0, 0, 0, 0, 0],       // r4 = [r1]
    [0x15, 0x04, 2, 0, 0, 0, 0, 0],       // if r4 == 0, skip two
    [0x0f, 0x40, 0, 0, 0, 0, 0, 0],       // r0 += r4
    [0x07, 0x03, 0, 0, 1, 0, 0, 0],       // r3 += 1
    [0x07, 0x01, 0, 0, 4, 0, 0, 0],       // r1 += 4
    [0xad, 0x21, 0xfa, 0xff, 0, 0, 0, 0], // if r1 < r2, back to the load
    [0x0f, 0x30, 0, 0, 0, 0, 0, 0],       // r0 += r3
    [0x95, 0x00, 0, 0, 0, 0, 0, 0],       // exit
];

/// rbpf's JIT, which checks nothing.
pub(crate) struct Rbpf(rbpf::EbpfVmRaw<'static>);

impl Rbpf {
    /// Verifies and compiles.
    pub(crate) fn new() -> Rbpf {
        const BYTES: &[u8] = SUM.as_flattened();
        let mut vm = rbpf::EbpfVmRaw::new(Some(BYTES)).expect("rbpf's verifier accepts it");
        vm.jit_compile().expect("rbpf compiles it");
        Rbpf(vm)
    }

    /// Sum plus count.
    pub(crate) fn run(&self, block: &mut [u8; 4096]) -> u64 {
        // SAFETY: the program reads 4,096 bytes from where it is told, and writes none.
        unsafe { self.0.execute_program_jit(block) }.expect("rbpf runs it")
    }
}

/// The same in solana-sbpf's assembler.
const SUM_TEXT: &str = "
    mov64 r0, 0
    mov64 r3, 0
    mov64 r2, r1
    add64 r2, 4096
again:
    ldxw r4, [r1]
    jeq r4, 0, skip
    add64 r0, r4
    add64 r3, 1
skip:
    add64 r1, 4
    jlt r1, r2, again
    add64 r0, r3
    exit";

/// solana-sbpf's meter of instructions.
struct Fuel(u64);

impl ContextObject for Fuel {
    fn consume(&mut self, amount: u64) {
        self.0 = self.0.saturating_sub(amount);
    }
    fn get_remaining(&self) -> u64 {
        self.0
    }
}

/// Hands a call of solana-sbpf's compiled code, which yields sum plus count, to `measure`.
pub(crate) fn with_sbpf<R>(block: &mut [u8; 4096], measure: impl FnOnce(&mut dyn FnMut() -> u64) -> R) -> R {
    let config = Config { enabled_sbpf_versions: SBPFVersion::V0..=SBPFVersion::V0, ..Config::default() };
    let mut executable = assemble::<Fuel>(SUM_TEXT, Arc::new(BuiltinProgram::new_loader(config))).expect("assembles");
    executable.verify::<RequisiteVerifier>().expect("sbpf's verifier accepts it");
    executable.jit_compile().expect("sbpf compiles it");
    let mut stack = AlignedMemory::<HOST_ALIGN>::zero_filled(executable.get_config().stack_size());
    let mut heap = AlignedMemory::<HOST_ALIGN>::with_capacity(0);
    let stack_len = stack.len();
    let regions = vec![
        executable.get_ro_region(),
        MemoryRegion::new_writable(stack.as_slice_mut(), MM_STACK_START),
        MemoryRegion::new_writable(heap.as_slice_mut(), MM_HEAP_START),
        MemoryRegion::new_readonly(block, MM_INPUT_START),
    ];
    let version = executable.get_sbpf_version();
    let mapping = MemoryMapping::new(regions, executable.get_config(), version).expect("a mapping");
    let mut fuel = Fuel(0);
    let mut vm = EbpfVm::new(executable.get_loader().clone(), version, &mut fuel, mapping, stack_len);
    measure(&mut || {
        vm.registers[1] = MM_INPUT_START;
        vm.context_object_pointer.0 = 1 << 40;
        Result::<u64, _>::from(vm.execute_program(&executable, false).1).expect("sbpf runs it")
    })
}

/// The same in WebAssembly.
const SUM_WAT: &str = r#"
(module
  (memory (export "memory") 1 1)
  (func (export "sum") (param $at i32) (result i64)
    (local $end i32) (local $value i32) (local $sum i64) (local $many i64)
    (local.set $end (i32.add (local.get $at) (i32.const 4096)))
    (loop $again
      (local.set $value (i32.load (local.get $at)))
      (if (local.get $value) (then
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (local.get $value))))
        (local.set $many (i64.add (local.get $many) (i64.const 1)))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $again (i32.lt_u (local.get $at) (local.get $end))))
    (i64.add (local.get $sum) (local.get $many))))
"#;

/// Runs `measure` with a call that sums the block in wasmtime, with its bounds checked by instructions; with `fuel` it is metered.
pub(crate) fn with_wasmtime<R>(
    block: &[u8; 4096],
    fuel: bool,
    measure: impl FnOnce(&mut dyn FnMut() -> u64) -> R,
) -> R {
    let mut config = wasmtime::Config::new();
    config.consume_fuel(fuel).signals_based_traps(false);
    let engine = wasmtime::Engine::new(&config).expect("wasmtime runs here");
    let module = wasmtime::Module::new(&engine, SUM_WAT).expect("wasmtime compiles it");
    let mut store = wasmtime::Store::new(&engine, ());
    if fuel {
        store.set_fuel(u64::MAX / 2).expect("fuel is on");
    }
    let instance = wasmtime::Instance::new(&mut store, &module, &[]).expect("there is nothing to import");
    let memory = instance.get_memory(&mut store, "memory").expect("it is exported");
    memory.write(&mut store, 0, block).expect("a page holds the block");
    let sum = instance.get_typed_func::<i32, i64>(&mut store, "sum").expect("it is exported");
    measure(&mut || sum.call(&mut store, 0).expect("wasmtime runs it") as u64)
}
