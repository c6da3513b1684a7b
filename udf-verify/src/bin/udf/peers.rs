//! The same work in other engines.
#![allow(unsafe_code, reason = "rbpf's compiled code checks nothing")]

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
