//! rbpf's JIT with the filter `tcp port 80` as an eBPF program.
#![allow(unsafe_code, reason = "rbpf's JIT checks nothing, so calling it is unsafe; the program checks its packets")]

use rbpf::EbpfVmRaw;

/// As tcpdump compiles `tcp port 80`, with loads in the byte order of the machine. The JIT does not hand the length to a program
/// without metadata, so that of all frames, 60, stands in its place.
const PROGRAM: &str = "
    mov64 r6, r1
    mov64 r7, 60
    mov64 r0, 0
    jlt r7, 34, +24
    ldxh r3, [r6+12]
    jeq r3, 0xdd86, +14
    jne r3, 0x0008, +21
    ldxb r3, [r6+23]
    jne r3, 6, +19
    ldxh r3, [r6+20]
    and64 r3, 0xff1f
    jne r3, 0, +16
    ldxb r4, [r6+14]
    and64 r4, 15
    lsh64 r4, 2
    mov64 r5, r4
    add64 r5, 18
    jgt r5, r7, +10
    add64 r6, r4
    ja +4
    jlt r7, 58, +7
    ldxb r3, [r6+20]
    jne r3, 6, +5
    add64 r6, 40
    ldxh r3, [r6+14]
    ldxh r4, [r6+16]
    jeq r3, 0x5000, +2
    jeq r4, 0x5000, +1
    exit
    mov64 r0, 1
    exit
";

/// The compiled program.
pub(super) struct Bpf {
    vm: EbpfVmRaw<'static>,
}

impl Bpf {
    pub(super) fn new() -> Result<Self, String> {
        let code: &'static [u8] = Box::leak(rbpf::assembler::assemble(PROGRAM)?.into_boxed_slice());
        let mut vm = EbpfVmRaw::new(Some(code)).map_err(|error| error.to_string())?;
        vm.jit_compile().map_err(|error| error.to_string())?;
        Ok(Bpf { vm })
    }

    #[inline(always)]
    pub(super) fn classify<'a>(&'a self, frame: &'a mut [u8]) -> u32 {
        assert!(frame.len() >= 60, "the program takes its packets for whole");
        let vm: &EbpfVmRaw<'a> = &self.vm;
        // SAFETY: the program loads within the 60 bytes that the caller has seen to, and writes nothing.
        unsafe { vm.execute_program_jit(frame) }.unwrap_or(0) as u32
    }
}
