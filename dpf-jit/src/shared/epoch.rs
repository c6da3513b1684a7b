//! Epochs: when what readers may look at can be freed.
//!
//! A reader says in its [`Slot`] since which epoch it has been reading, or that it is not. What a writer takes out of sight is
//! *retired* in the current epoch, and the epoch is moved on; once every slot is idle or of a later epoch, nobody can look at
//! it any more. (Fraser, "Practical lock-freedom", 2004, section 5.2.3.)
//!
//! A reader's store to its slot must be visible before what it then reads. A full fence would cost more than classifying a
//! packet, so the writer pays: `membarrier` makes all running threads of the process pass a fence. Where the system does not
//! have it, readers pass their own.
//!
//! **Invariants.**
//! - E1. A [`Slot`] is used by one thread at a time.
//! - E2. A pointer leaves a [`Published`] before it is retired, and is freed only by [`Retired`]'s drop.
#![allow(unsafe_code, reason = "pointers shared with readers that hold no reference count; a system call")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering, compiler_fence, fence};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

/// Since when its thread has been reading; 0 while it is not. On cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Slot {
    since: AtomicU64,
}

static EPOCH: AtomicU64 = AtomicU64::new(1);
static SLOTS: Mutex<Vec<Weak<Slot>>> = Mutex::new(Vec::new());
/// Whether readers must pass a fence of their own.
static READERS_FENCE: AtomicBool = AtomicBool::new(true);

thread_local! {
    /// This thread's slot.
    static MINE: Arc<Slot> = register();
}

/// A slot that writers know of.
pub(crate) fn register() -> Arc<Slot> {
    static MEMBARRIER: Once = Once::new();
    MEMBARRIER.call_once(|| READERS_FENCE.store(!membarrier(MEMBARRIER_REGISTER), Ordering::SeqCst));
    let slot = Arc::new(Slot::default());
    let mut slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
    slots.retain(|slot| slot.strong_count() > 0);
    slots.push(Arc::downgrade(&slot));
    slot
}

const MEMBARRIER_REGISTER: i32 = 16;
const MEMBARRIER: i32 = 8;

/// Whether the system did it.
#[cfg(target_os = "linux")]
fn membarrier(command: i32) -> bool {
    // SAFETY: `membarrier` takes three integers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn membarrier(_command: i32) -> bool {
    false
}

/// Reads while the guard lives.
struct Reading<'a>(&'a Slot);

impl<'a> Reading<'a> {
    #[inline(always)]
    fn begin(slot: &'a Slot) -> Self {
        slot.since.store(EPOCH.load(Ordering::Acquire), Ordering::Relaxed);
        if READERS_FENCE.load(Ordering::Relaxed) {
            fence(Ordering::SeqCst);
        } else {
            compiler_fence(Ordering::SeqCst);
        }
        Reading(slot)
    }
}

impl Drop for Reading<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.since.store(0, Ordering::Release);
    }
}

/// A value that readers look at while a writer replaces it.
#[derive(Debug)]
pub(crate) struct Published<T>(AtomicPtr<T>);

impl<T> Published<T> {
    pub(crate) fn new(value: T) -> Self {
        Published(AtomicPtr::new(Box::into_raw(Box::new(value))))
    }

    /// Looks at the value, in a slot that no other thread uses at the same time (invariant E1).
    #[inline(always)]
    pub(crate) fn read<R>(&self, slot: &Slot, look: impl FnOnce(&T) -> R) -> R {
        let _reading = Reading::begin(slot);
        // SAFETY: the pointer was published with a live value, which is not freed before `_reading` ends: it is retired only
        // after another pointer was published, and then waits for this slot.
        look(unsafe { &*self.0.load(Ordering::Acquire) })
    }

    /// The same in the slot of this thread.
    #[inline]
    pub(crate) fn read_here<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        MINE.with(|slot| self.read(slot, look))
    }

    /// Publishes another value; the old one is to be retired.
    pub(crate) fn replace(&self, value: T) -> Retired<T> {
        let old = self.0.swap(Box::into_raw(Box::new(value)), Ordering::AcqRel);
        Retired(NonNull::new(old).expect("a boxed value is never at null"))
    }
}

impl<T> Drop for Published<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a box, and nobody reads any more.
        drop(unsafe { Box::from_raw(*self.0.get_mut()) });
    }
}

/// A value that is no longer published. Dropping it frees it.
#[derive(Debug)]
pub(crate) struct Retired<T>(NonNull<T>);

// SAFETY: it owns the value, as a box does.
unsafe impl<T: Send> Send for Retired<T> {}

impl<T> Drop for Retired<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from a box and is owned by `self` alone (invariant E2).
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// What was retired and may still be looked at.
#[derive(Debug)]
pub(crate) struct Limbo<G> {
    /// In the order of the epochs.
    waiting: Vec<(u64, G)>,
}

impl<G> Limbo<G> {
    pub(crate) fn new() -> Self {
        Limbo { waiting: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds what has been taken out of sight.
    pub(crate) fn retire(&mut self, garbage: G) {
        self.waiting.push((EPOCH.fetch_add(1, Ordering::SeqCst), garbage));
    }

    /// Takes out what nobody can look at any more. Never waits for a reader.
    pub(crate) fn collect(&mut self) -> impl Iterator<Item = G> {
        if !READERS_FENCE.load(Ordering::Relaxed) {
            // Registered, so it can only fail where memory barriers are of no use to anybody.
            membarrier(MEMBARRIER);
        }
        fence(Ordering::SeqCst);
        let slots = SLOTS.lock().unwrap_or_else(PoisonError::into_inner);
        let since = slots.iter().filter_map(Weak::upgrade).map(|slot| slot.since.load(Ordering::Acquire));
        let oldest = since.filter(|&since| since != 0).min().unwrap_or(u64::MAX);
        let free = self.waiting.iter().take_while(|(epoch, _)| *epoch < oldest).count();
        self.waiting.drain(..free).map(|(_, garbage)| garbage)
    }
}
