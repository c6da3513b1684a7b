//! The process's one region, made at the first use, and each thread's cache of it.
//!
//! The only file here that names the payload.

use std::cell::OnceCell;
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::region::Region;
use super::thread::{Cache, Reservation};
use super::{AllocError, CodeMemoryStats, Node};
use crate::func::FuncData as Payload;

/// What is asked for at first; address space, not memory.
const MAX_LEN: usize = 1 << 30;

static REGION: OnceLock<Result<Region<Payload>, AllocError>> = OnceLock::new();

thread_local! {
    static CACHE: OnceCell<Cache<'static, Payload>> = const { OnceCell::new() };
}

/// A place for `len` bytes of code, aligned to a cache line.
#[inline]
pub(crate) fn reserve(len: usize) -> Result<Reservation<'static, Payload>, AllocError> {
    match CACHE.try_with(|cell| cell.get().and_then(|cache| cache.reserve_held(len))) {
        Ok(Some(reservation)) => Ok(reservation),
        _ => reserve_slow(len),
    }
}

#[cold]
fn reserve_slow(len: usize) -> Result<Reservation<'static, Payload>, AllocError> {
    let region = region()?;
    let cached = CACHE.try_with(|cell| cell.get_or_init(|| Cache::new(region)).reserve(len));
    // A thread that is ending has given its cache back already.
    cached.unwrap_or_else(|_| Cache::new(region).reserve(len))
}

/// Frees a function; any thread may.
///
/// # Safety
/// As `Region::release`: the node was committed and not released since, and nobody uses it or its code any more.
#[inline]
pub(crate) unsafe fn release(node: NonNull<Node<Payload>>) {
    if let Some(Ok(region)) = REGION.get() {
        // SAFETY: the caller's promise; this region is the only one with this payload outside of tests.
        unsafe { region.release(node) };
    }
}

/// Start and length of the executable view. All code lies inside.
pub(crate) fn bounds() -> Result<(*const u8, usize), AllocError> {
    region().map(Region::bounds)
}

/// The state of the code memory, after everything freed so far has been taken back. Takes the lock.
pub(crate) fn stats() -> Result<CodeMemoryStats, AllocError> {
    region().map(Region::stats)
}

fn region() -> Result<&'static Region<Payload>, AllocError> {
    let region = REGION.get_or_init(|| Region::open(MAX_LEN));
    region.as_ref().map_err(AllocError::clone)
}
