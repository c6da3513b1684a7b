//! A generator written by hand as a [`Candidate`]: it writes machine code through a
//! [`Buf`] into a [`Region`] of its own.
#![allow(unsafe_code, reason = "calls the machine code that was written")]

use std::any::Any;
use std::mem::transmute;
use std::rc::Rc;

use crate::candidates::Candidate;
use crate::counts::Count;
use crate::exec::{Buf, Entry, Region};
use crate::workloads::{Program, Workload, apart, empty, w1_power, w2_horner, w3_dot, w4_query, w5_loop, w6_large};

/// Functions that are alive at once: one batch.
const LIVE: usize = 256;

/// The candidate, number `N`, for a generator that writes at most `most` bytes.
///
/// # Panics
/// If the system refuses executable memory.
pub fn assembled<const N: usize>(
    workload: Workload,
    tier: &'static str,
    most: usize,
    generate: impl Fn(&mut Buf) + 'static,
) -> Box<dyn Candidate> {
    let region = Region::new((most + 32) * LIVE).expect("executable memory");
    Box::new(Assembled::<_, N> { workload, tier, most, generate, region, live: Vec::with_capacity(LIVE) })
}

struct Assembled<G, const N: usize> {
    workload: Workload,
    tier: &'static str,
    /// Bytes of the longest function it generates.
    most: usize,
    generate: G,
    region: Region,
    /// The functions of the batch under way.
    live: Vec<Entry>,
}

impl<G: Fn(&mut Buf), const N: usize> Candidate for Assembled<G, N> {
    fn workload(&self) -> Workload {
        self.workload
    }

    fn tier(&self) -> &str {
        self.tier
    }

    fn fragments(&self) -> Option<u32> {
        None
    }

    fn compile(&mut self, times: u32) {
        for _ in 0..times {
            let mut buf = self.region.begin(self.most);
            (self.generate)(&mut buf);
            self.live.push(self.region.finish(buf));
        }
    }

    fn retire(&mut self) {
        self.live.clear();
        self.region.reset();
    }

    fn program(&mut self) -> Result<Program, String> {
        let bytes = (self.most + 32).next_multiple_of(4096);
        let region = Region::new(bytes).map_err(|e| format!("executable memory: {e}"))?;
        let mut buf = region.begin(self.most);
        (self.generate)(&mut buf);
        let entry = region.finish(buf);
        region.synchronise();
        let size = Count::decode(region.code(entry));
        Ok(callable::<N>(self.workload, size, entry.code, Rc::new(region)))
    }
}

/// The code at `code` as a program of the candidate `N`; the closures keep alive what it lies in.
pub(crate) fn callable<const N: usize>(
    workload: Workload,
    size: Count,
    code: *const u8,
    memory: Rc<dyn Any>,
) -> Program {
    let size = Some(size);
    match workload {
        Workload::Empty => {
            // SAFETY: the code is a function of this signature for the System V
            // convention, by the contract of the workload that it was generated for, and
            // stays mapped as long as `memory`. So for each arm below.
            let f: extern "C" fn() = unsafe { transmute(code) };
            empty::program(size, move || {
                let _alive = &memory;
                apart::<N>();
                f();
            })
        }
        Workload::W1 => {
            // SAFETY: as above.
            let f: extern "C" fn(i64) -> i64 = unsafe { transmute(code) };
            w1_power::program(size, move |x| {
                let _alive = &memory;
                apart::<N>();
                f(x)
            })
        }
        Workload::W2 => {
            // SAFETY: as above.
            let f: extern "C" fn(i64) -> i64 = unsafe { transmute(code) };
            w2_horner::program(size, move |x| {
                let _alive = &memory;
                apart::<N>();
                f(x)
            })
        }
        Workload::W3 => {
            // SAFETY: as above; it reads 64 values.
            let f: extern "C" fn(&[i64; w3_dot::LEN]) -> i64 = unsafe { transmute(code) };
            w3_dot::program(size, move |p| {
                let _alive = &memory;
                apart::<N>();
                f(p)
            })
        }
        Workload::W4 => {
            // SAFETY: as above; it returns 0 or 1.
            let f: extern "C" fn(&w4_query::Record) -> bool = unsafe { transmute(code) };
            w4_query::program(size, move |record| {
                let _alive = &memory;
                apart::<N>();
                f(record)
            })
        }
        Workload::W5 => {
            // SAFETY: as above; it reads as many values as its second argument says.
            let f: extern "C" fn(*const i64, i64) -> i64 = unsafe { transmute(code) };
            w5_loop::program(size, move |p| {
                let _alive = &memory;
                apart::<N>();
                f(p.as_ptr(), p.len() as i64)
            })
        }
        Workload::W6 => {
            // SAFETY: as above; it reads 24 values.
            let f: extern "C" fn(&[i64; w6_large::VARIABLES]) -> i64 = unsafe { transmute(code) };
            w6_large::program(size, move |p| {
                let _alive = &memory;
                apart::<N>();
                f(p)
            })
        }
    }
}
