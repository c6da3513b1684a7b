//! The verifier: accepts or rejects, in time linear in the file, with one diagnostic.
//!
//! ```text
//!   bytes ─ binary ─► sections       lengths and counts agree; nothing allocated before
//!         ─ structure ─► Inst, links  one walk: decode, blocks nest, exact cost and number of tuples, what loops change
//!         ─ bounds ─► verdicts        one walk: an interval for every register, a verdict for every load
//! ```
//!
//! Both walks go forward only and keep their state in stacks of [`MAX_DEPTH`] entries: no recursion, no fixed point. What is
//! reported is the error at the lowest offset; what concerns the function as a whole (cost, tuples) comes after all others.
//!
//! Cost: about 40 ns per instruction.
#![forbid(unsafe_code)]

mod bounds;
mod interval;
mod rejection;
mod structure;

pub use bounds::{LoadReport, Observer, Verdict};
pub use interval::Interval;
pub use rejection::{Rejection, Rule};
pub use structure::LoopReport;

use crate::binary;
use crate::names::Names;
use crate::program::{Header, Inst, Program};
use rejection::Context;

/// How deep blocks may nest.
pub const MAX_DEPTH: usize = 16;

/// What the system allows a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Slots of code.
    pub slots: u32,
    /// Worst-case cost, and thus fuel.
    pub fuel: u64,
    /// Tuples that a function can add in the worst case.
    pub tuples: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { slots: 1 << 16, fuel: 1 << 24, tuples: 1 << 20 }
    }
}

/// What was found out about an accepted function.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) program: Program,
    pub(crate) cost: u64,
    pub(crate) tuples: u64,
    pub(crate) loads: Vec<LoadReport>,
    pub(crate) loops: Vec<LoopReport>,
}

/// Takes a file apart, for whoever looks at it without verifying.
pub(crate) fn sections(file: &[u8], slots: u32) -> Result<binary::Sections<'_>, Rejection> {
    binary::sections(file, slots).map_err(|error| Rejection::of_form(error, &Context::default()))
}

/// Decodes a file without verifying it.
pub(crate) fn decode(file: &[u8]) -> Result<(Program, Names), Rejection> {
    let reject = |error| Rejection::of_form(error, &Context::default());
    let sections = sections(file, u32::MAX)?;
    let types = binary::decode_types(&sections).map_err(reject)?;
    let slots = (sections.code.len() / 8) as u32;
    let (mut insts, mut slot) = (Vec::new(), 0);
    while slot < slots {
        let (inst, size) = binary::decode_inst(sections.code, slot, types.len() as u32).map_err(reject)?;
        insts.push(inst);
        slot += size;
    }
    Ok((Program { header: sections.header, types, insts }, Names::decode(sections.names)))
}

/// Verifies a file.
pub(crate) fn verify(file: &[u8], limits: &Limits, observer: Option<&mut dyn Observer>) -> Result<Facts, Rejection> {
    let at_header = |error| Rejection::of_form(error, &Context::default());
    let sections = sections(file, limits.slots)?;
    // Names are decoded only once there is something to say.
    let context = |insts: &[Inst], types: &[u32]| Context {
        program: Program { header: sections.header, types: types.to_vec(), insts: insts.to_vec() },
        names: Names::decode(sections.names),
        code: sections.code,
    };
    let types = binary::decode_types(&sections).map_err(at_header)?;
    if sections.header.fuel > limits.fuel {
        return Err(Rejection::fuel_above_cap(sections.header.fuel, limits.fuel));
    }
    let (structure, error) = structure::walk(sections.code, &sections.header, types.len() as u32);
    let bounds = bounds::walk(&structure, &sections.header, observer);
    // Everything in the part walked lies before what ended the walk.
    let loads = bounds.map_err(|fault| Rejection::of_load(fault, &context(&structure.insts, &types)))?;
    if let Some(error) = error {
        return Err(Rejection::of_structure(error, &context(&structure.insts, &types)));
    }
    structure
        .check_totals(&sections.header, limits)
        .map_err(|excess| Rejection::of_excess(excess, &structure, &context(&structure.insts, &types)))?;
    let structure::Structure { insts, loops, cost, tuples, .. } = structure;
    Ok(Facts { program: Program { header: sections.header, types, insts }, cost, tuples, loads, loops })
}

/// The flags that a function with these uses must have.
fn exact_flags(header: &Header, used: u8) -> bool {
    use crate::program::flags::{READS_BLOCK, READS_UNIT};
    header.flags & (READS_BLOCK | READS_UNIT) == used
}
