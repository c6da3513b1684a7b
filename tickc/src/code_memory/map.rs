//! The region's mappings, and the only system calls of this module.
//!
//! Invariant I1 is visible here: the protections asked for are read-write, read-execute and none, nothing else.
//!
//! - *Two views*: an anonymous file (`memfd`), sparse, mapped twice. No system call per function.
//! - *Flip*: private memory, reserved without access. A span is made read-write when a thread receives it, the pages
//!   of a function read-execute when it is committed. Both happen only to pages without live code (I4).
//!
//! What is executed lies just below the program where that is free ([`below_the_program`]): code then reaches the program's functions
//! with 32 bits, and processors predict calls from the program to it as cheaply as calls within the program. (Zen 4 keeps 37 bits of a
//! target beside the call; what differs in the others takes three cycles more.)

use std::ffi::c_void;
use std::{io, ptr};

use memmap2::{Advice, MmapOptions, MmapRaw, UncheckedAdvice};
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{
    Advice as PageAdvice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mmap_anonymous, mprotect, munmap,
};

/// How written bytes become executable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// One file, mapped twice.
    TwoViews,
    /// One mapping, whose fresh pages change from writable to executable.
    Flip,
}

/// The mapped region. Offsets below are bytes from its start.
pub(super) enum Mapping {
    TwoViews { write: MmapRaw, exec: Pages },
    Flip(Pages),
}

/// A mapping that is executed.
pub(super) struct Pages {
    base: *mut u8,
    len: usize,
}

// SAFETY: these are an address range of the process, tied to no thread.
unsafe impl Send for Pages {}
// SAFETY: as above; all methods take offsets whose exclusive use the caller guarantees (I2).
unsafe impl Sync for Pages {}

impl Mapping {
    /// Maps `len` bytes (a multiple of 64 KiB).
    pub(super) fn new(strategy: Strategy, len: usize) -> io::Result<Mapping> {
        if cfg!(miri) {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        match strategy {
            Strategy::TwoViews => map_twice(len),
            Strategy::Flip => Pages::reserve(len).map(Mapping::Flip),
        }
    }

    /// Where the code runs.
    pub(super) fn exec_base(&self) -> *const u8 {
        match self {
            Mapping::TwoViews { exec: pages, .. } | Mapping::Flip(pages) => pages.base,
        }
    }

    /// Where the code is written.
    pub(super) fn write_base(&self) -> *mut u8 {
        match self {
            Mapping::TwoViews { write, .. } => write.as_mut_ptr(),
            Mapping::Flip(memory) => memory.base,
        }
    }

    /// What ranges are rounded up to; a power of two.
    pub(super) fn granule(&self) -> u32 {
        match self {
            // A line of the cache: it takes as few as it can, and a function that runs shares none with one being written, which
            // would stop the processor that runs it.
            Mapping::TwoViews { .. } => 64,
            Mapping::Flip(_) => page_size() as u32,
        }
    }

    /// Whether pages change from writable to executable.
    pub(super) fn flips(&self) -> bool {
        matches!(self, Mapping::Flip(_))
    }

    /// Makes a free range writable.
    pub(super) fn prepare(&self, start: u32, len: u32) -> io::Result<()> {
        match self {
            Mapping::TwoViews { .. } => Ok(()),
            Mapping::Flip(memory) => memory.protect(start, len, MprotectFlags::READ | MprotectFlags::WRITE),
        }
    }

    /// Makes a written range executable.
    pub(super) fn publish(&self, start: u32, len: u32) -> io::Result<()> {
        match self {
            Mapping::TwoViews { .. } => Ok(()),
            Mapping::Flip(memory) => memory.protect(start, len, MprotectFlags::READ | MprotectFlags::EXEC),
        }
    }

    /// Backs a range with physical pages: sixteen faults in one call, and an error here where the system has no
    /// memory, instead of a signal at the first store. Contents are kept.
    pub(super) fn populate(&self, start: u32, len: u32) -> io::Result<()> {
        let Mapping::TwoViews { write, .. } = self else {
            return Ok(());
        };
        match write.advise_range(Advice::PopulateWrite, start as usize, len as usize) {
            // Kernels before 5.14 do not know the call; the pages then come one by one.
            Err(err) if err.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            result => result,
        }
    }

    /// Gives the physical pages of a range back; it reads as zeros afterwards. A refusal costs memory only.
    ///
    /// # Safety
    /// The range lies in the region and is free (I6), in whole pages.
    pub(super) unsafe fn discard(&self, start: u32, len: u32) {
        let (start, len) = (start as usize, len as usize);
        match self {
            // SAFETY: nobody refers to bytes of a free range, by the caller's promise; both views lose them at once.
            Mapping::TwoViews { write, .. } => unsafe {
                let _ = write.unchecked_advise_range(UncheckedAdvice::Remove, start, len);
            },
            // SAFETY: as above; the range lies inside the reservation.
            Mapping::Flip(memory) => unsafe {
                let _ = madvise(memory.base.add(start).cast(), len, PageAdvice::LinuxDontNeed);
            },
        }
    }
}

/// The largest file this process may make; asking for more would not fail but kill it (`SIGXFSZ`).
fn file_size_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for a write.
    match unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } {
        0 => limit.rlim_cur,
        _ => u64::MAX,
    }
}

fn map_twice(len: usize) -> io::Result<Mapping> {
    if len as u64 > file_size_limit() {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    // Kernels before 6.3 do not know the flag, newer ones may insist on it.
    let file = memfd_create(c"tickc-code", MemfdFlags::CLOEXEC | MemfdFlags::EXEC)
        .or_else(|_| memfd_create(c"tickc-code", MemfdFlags::CLOEXEC))?;
    ftruncate(&file, len as u64)?;
    let write = MmapOptions::new().len(len).map_raw(&file)?;
    let exec = Pages::executable(&file, len)?;
    // A child must not share the parent's code. Refusal is not expected, and no reason to do without code.
    let _ = write.advise(Advice::DontFork);
    // SAFETY: the advice concerns children of this process.
    let _ = unsafe { madvise(exec.base.cast(), len, PageAdvice::LinuxDontFork) };
    Ok(Mapping::TwoViews { write, exec })
}

/// Where `len` bytes end at the first page of the program; null if there is no such place. The system maps them elsewhere if it is taken.
fn below_the_program(len: usize) -> *mut c_void {
    // SAFETY: reads what the system noted when it started the process.
    let headers = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    // The program's headers lie in its first page.
    let first_page = headers & !(page_size() - 1);
    ptr::without_provenance_mut(first_page.saturating_sub(len))
}

impl Pages {
    /// The file's first `len` bytes, to be executed.
    fn executable(file: &OwnedFd, len: usize) -> io::Result<Pages> {
        let protection = ProtFlags::READ | ProtFlags::EXEC;
        // SAFETY: without `MAP_FIXED` the address is a hint: a fresh mapping takes the place of no other. Nobody else changes the file or
        // truncates it, as it has no name, and its descriptor is closed when `map_twice` returns; and no reference to bytes that change
        // is made through this mapping.
        let base = unsafe { mmap(below_the_program(len), len, protection, MapFlags::SHARED, file, 0)? };
        Ok(Pages { base: base.cast(), len })
    }

    /// Private memory without access.
    fn reserve(len: usize) -> io::Result<Pages> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: without `MAP_FIXED` the address is a hint: a fresh mapping takes the place of no other.
        let base = unsafe { mmap_anonymous(below_the_program(len), len, ProtFlags::empty(), flags)? };
        let memory = Pages { base: base.cast(), len };
        // Policies that forbid the flip do so here, not at the first function.
        let page = page_size() as u32;
        memory.protect(0, page, MprotectFlags::READ | MprotectFlags::WRITE)?;
        // SAFETY: the page is writable now and nobody else knows it. It is touched because some policies object only
        // to pages that have been written.
        unsafe { memory.base.write_volatile(0) };
        memory.protect(0, page, MprotectFlags::READ | MprotectFlags::EXEC)?;
        memory.protect(0, page, MprotectFlags::empty())?;
        Ok(memory)
    }

    fn protect(&self, start: u32, len: u32, protection: MprotectFlags) -> io::Result<()> {
        assert!(start as usize + len as usize <= self.len, "range inside the region");
        // SAFETY: the range lies inside this mapping; that no live code or borrowed bytes lie in it is I2 and I4.
        unsafe { mprotect(self.base.add(start as usize).cast(), len as usize, protection)? };
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped with this length; the region is going away, so nobody refers to it.
        let _ = unsafe { munmap(self.base.cast(), self.len) };
    }
}

fn page_size() -> usize {
    // SAFETY: reads a constant of the system.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}
