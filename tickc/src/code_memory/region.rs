//! The shared part: mappings, free ranges, spare nodes, and the stack on which released functions wait.

use std::io;
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::free_list::{FreeList, Span};
use super::map::{Mapping, Strategy};
use super::node::{Node, NodeStore, Released, Runs};
use super::resident::{CHUNK, Resident};
use super::thread::{Cache, SPARES};
use super::{AllocError, CodeMemoryStats};

/// Larger requests do not come out of a thread's cache.
pub(super) const LARGE: usize = 32 << 10;
/// Free bytes that keep their physical pages.
const SLACK: u32 = 16 << 20;
/// The shortest free span whose pages are given back.
const TRIM_MIN: u32 = 1 << 20;
/// The shortest region worth having.
const SMALLEST: usize = 1 << 20;

/// One stretch of code memory with everything needed to hand it out. `P` is what the owner keeps with each function.
pub(crate) struct Region<P> {
    released: Released<P>,
    exec_base: *const u8,
    write_base: *mut u8,
    /// Granule − 1.
    granule_mask: u32,
    len: u32,
    /// Pages change from writable to executable.
    flips: bool,
    mapping: Mapping,
    state: Mutex<State<P>>,
}

struct State<P> {
    free: FreeList,
    resident: Resident,
    nodes: NodeStore<P>,
    /// Scratch of `collect`.
    runs: Runs,
    /// Unused resident bytes from which on the next trim is tried.
    trim_at: u32,
    refills: u64,
    trims: u64,
}

// SAFETY: the pointers lead to the mappings and to nodes, which belong to the process, not to a thread; payloads move
// to the thread that releases them, hence `P: Send`.
unsafe impl<P: Send> Send for Region<P> {}
// SAFETY: shared state is behind the mutex or atomic. Payloads are reached only through nodes, not through the region.
unsafe impl<P: Send> Sync for Region<P> {}

impl<P> Region<P> {
    /// Maps the best region the system allows, of `max_len` bytes at most.
    pub(super) fn open(max_len: usize) -> Result<Region<P>, AllocError> {
        let mut what = String::new();
        for strategy in [Strategy::TwoViews, Strategy::Flip] {
            match Region::with_strategy(strategy, max_len) {
                Ok(region) => return Ok(region),
                Err(err) => {
                    let name = match strategy {
                        Strategy::TwoViews => "one file mapped writable and executable: ",
                        Strategy::Flip => "; private pages made executable once written: ",
                    };
                    what = what + name + &err.to_string();
                }
            }
        }
        Err(AllocError::Denied { what })
    }

    /// Maps a region in the given way: `max_len` bytes or, where that is refused, a half, a quarter, … of it.
    pub(super) fn with_strategy(strategy: Strategy, max_len: usize) -> io::Result<Region<P>> {
        let mut len = max_len;
        loop {
            match Mapping::new(strategy, len) {
                Ok(mapping) => return Ok(Region::new(mapping, len as u32)),
                Err(_) if len / 2 >= SMALLEST => len /= 2,
                Err(err) => return Err(err),
            }
        }
    }

    fn new(mapping: Mapping, len: u32) -> Region<P> {
        assert!(len.is_multiple_of(CHUNK) && len <= 1 << 30, "a region is whole chunks, at most 1 GiB");
        Region {
            released: Released::new(),
            exec_base: mapping.exec_base(),
            write_base: mapping.write_base(),
            granule_mask: mapping.granule() - 1,
            len,
            flips: mapping.flips(),
            state: Mutex::new(State {
                free: FreeList::new(len, mapping.granule()),
                resident: Resident::new(len),
                nodes: NodeStore::new(),
                runs: Runs::default(),
                trim_at: SLACK,
                refills: 0,
                trims: 0,
            }),
            mapping,
        }
    }

    /// Start and length of the executable view.
    pub(crate) fn bounds(&self) -> (*const u8, usize) {
        (self.exec_base, self.len as usize)
    }

    /// Frees a function: drops its payload here and now, its code range a little later.
    ///
    /// # Safety
    /// `node` was committed in this region and not released since; no thread runs its code or refers to the node any
    /// more, and all they did with either happened before this call (the last owner's `Acquire`).
    #[inline]
    pub(crate) unsafe fn release(&self, node: NonNull<Node<P>>) {
        let node = node.as_ptr();
        // SAFETY: by the caller's promise the node is published (so it has a payload) and ours alone from now on.
        let len = unsafe {
            ptr::drop_in_place((*node).payload.as_mut_ptr());
            (*node).len
        };
        // SAFETY: we hold the node, and do not touch it again.
        unsafe { self.released.push(node) };
        if len as usize > LARGE {
            self.collect_large();
        }
    }

    /// A large function is worth a look at once: a thread may release many of them and compile nothing more.
    #[cold]
    fn collect_large(&self) {
        if let Ok(mut state) = self.state.try_lock() {
            self.collect(&mut state);
        }
    }

    /// Takes back a node that was never published.
    pub(super) fn abandon(&self, node: NonNull<Node<P>>) {
        // SAFETY: the caller is a reservation, which holds the node (I3) and ends with this call.
        unsafe { self.released.push(node.as_ptr()) };
    }

    /// `len` rounded up to the granule.
    #[inline]
    pub(super) fn round(&self, len: u32) -> u32 {
        (len + self.granule_mask) & !self.granule_mask
    }

    /// Makes `node`, which the caller holds, stand for `len` bytes from `start` on.
    ///
    /// # Safety
    /// The caller holds `node` and the range.
    #[inline]
    pub(super) unsafe fn place(&self, node: *mut Node<P>, start: u32, len: u32) {
        // SAFETY: the caller holds the node, and the range lies inside the region.
        unsafe {
            (*node).exec = self.exec_base.add(start as usize);
            (*node).len = len;
        }
    }

    /// The writable address of an executable one.
    #[inline]
    pub(super) fn write_ptr(&self, exec: *const u8) -> *mut u8 {
        self.write_base.wrapping_add(exec as usize - self.exec_base as usize)
    }

    /// Whether a reserved range must be made executable before it is published.
    #[inline]
    pub(super) fn flips(&self) -> bool {
        self.flips
    }

    /// Makes a reserved range executable.
    #[cold]
    pub(super) fn publish(&self, exec: *const u8, len: u32) -> Result<(), AllocError> {
        let start = (exec as usize - self.exec_base as usize) as u32;
        self.mapping.publish(start, self.round(len)).map_err(|err| refused("executable", err, len as usize))
    }

    /// Fills a thread's cache: ranges of at least `need` bytes (rounded), and spare nodes.
    pub(super) fn refill(&self, cache: &Cache<'_, P>, need: u32) -> Result<(), AllocError> {
        let mut state = self.lock();
        let state = &mut *state;
        state.refills += 1;
        cache.give_back_spans(|span| state.free.insert(span));
        self.collect(state);
        while cache.spares() < SPARES {
            cache.add_spares(state.nodes.take_batch());
        }
        // A sixty-fourth of a small region, so that no thread starves the others.
        let want = CHUNK.min(self.round(self.len / 64));
        let mut failed = None;
        cache.receive_spans(|spans| {
            if !state.free.take(need, want, spans) {
                failed = Some(AllocError::Full { requested: need as usize });
                return;
            }
            let ready = spans.as_mut_slice().iter().try_for_each(|&span| self.make_ready(state, span));
            if let Err(err) = ready {
                while let Some(span) = spans.pop() {
                    state.free.insert(span);
                }
                failed = Some(err);
            }
        });
        failed.map_or(Ok(()), Err)
    }

    /// Hands out one range of `len` bytes, and a node for it.
    pub(super) fn reserve_large(&self, len: usize) -> Result<NonNull<Node<P>>, AllocError> {
        if len > self.len as usize {
            return Err(AllocError::Full { requested: len });
        }
        let rounded = self.round(len as u32);
        let mut state = self.lock();
        let state = &mut *state;
        state.refills += 1;
        self.collect(state);
        let span = state.free.take_one(rounded).ok_or(AllocError::Full { requested: len })?;
        if let Err(err) = self.make_ready(state, span) {
            state.free.insert(span);
            return Err(err);
        }
        let node = state.nodes.take_one();
        // SAFETY: node and range were just taken from the lists that held them.
        unsafe { self.place(node, span.start, len as u32) };
        NonNull::new(node).ok_or(AllocError::Full { requested: len })
    }

    /// Takes back what a thread still holds in its cache.
    pub(super) fn retire(&self, cache: &Cache<'_, P>) {
        let mut state = self.lock();
        let state = &mut *state;
        cache.give_back_spans(|span| state.free.insert(span));
        // SAFETY: the cache's spares, which it has just given up.
        unsafe { state.nodes.recycle(cache.take_spares(), |_, _| ()) };
        self.collect(state);
    }

    /// The region's state, after everything released has been collected.
    pub(crate) fn stats(&self) -> CodeMemoryStats {
        let mut state = self.lock();
        self.collect(&mut state);
        CodeMemoryStats {
            mapped: self.len as usize,
            in_use: (self.len - state.free.free_bytes()) as usize,
            resident: state.resident.bytes() as usize,
            nodes: state.nodes.made(),
            refills: state.refills,
            trims: state.trims,
        }
    }

    /// Moves what was released to the free list and the spare nodes.
    fn collect(&self, state: &mut State<P>) {
        let State { free, nodes, runs, .. } = state;
        // SAFETY: taking the list off the stack makes its nodes ours; their payloads are dropped already.
        unsafe {
            nodes.recycle(self.released.take_all(), |exec, len| {
                let start = exec as usize - self.exec_base as usize;
                runs.add(start as u32, self.round(len));
            });
        }
        for run in runs.drain() {
            if cfg!(debug_assertions) && !self.flips {
                // SAFETY: the run is free and not yet in the free list, so it is ours; it is writable at all times.
                // Calling a freed function now stops at an `int3`.
                unsafe { self.write_base.add(run.start as usize).write_bytes(0xcc, run.len as usize) };
            }
            free.insert(run);
        }
        self.trim(state);
    }

    /// Gives pages of long free spans back while more than the slack is unused.
    fn trim(&self, state: &mut State<P>) {
        let unused = |state: &State<P>| {
            let in_use = self.len - state.free.free_bytes();
            state.resident.bytes().saturating_sub(in_use)
        };
        if unused(state) < state.trim_at {
            return;
        }
        state.trims += 1;
        let mut surplus = unused(state) - SLACK / 2;
        for mut span in state.free.spans().filter(|span| span.len >= TRIM_MIN) {
            while surplus > 0
                && let Some(mut run) = state.resident.first_present_inside(span)
            {
                let end = span.start + span.len;
                span.start = run.start + run.len;
                span.len = end - span.start;
                // The upper part, where less will do: what stays is handed out first.
                let kept = run.len.saturating_sub(surplus.next_multiple_of(CHUNK));
                run.start += kept;
                run.len -= kept;
                // SAFETY: whole chunks of a free span, and the lock keeps it free meanwhile (I6).
                unsafe { self.mapping.discard(run.start, run.len) };
                state.resident.set(run, false);
                surplus = surplus.saturating_sub(run.len);
            }
        }
        // Where free spans are too short to be worth it, wait until there is more.
        state.trim_at = SLACK.max(unused(state) + SLACK / 2);
    }

    /// Backs a range that is being handed out with pages, and makes it writable.
    fn make_ready(&self, state: &mut State<P>, span: Span) -> Result<(), AllocError> {
        while let Some(run) = state.resident.first_absent(span) {
            self.mapping.populate(run.start, run.len).map_err(|_| AllocError::Full { requested: span.len as usize })?;
            state.resident.set(run, true);
        }
        self.mapping.prepare(span.start, span.len).map_err(|err| refused("writable", err, span.len as usize))
    }

    fn lock(&self) -> MutexGuard<'_, State<P>> {
        // Nothing under the lock panics except on a broken invariant; then a leak is better than a second panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why pages could not be made `what`: the system lacks the means (a process may have so many mappings), or forbids it.
fn refused(what: &str, err: io::Error, requested: usize) -> AllocError {
    match err.kind() {
        io::ErrorKind::OutOfMemory => AllocError::Full { requested },
        _ => AllocError::Denied { what: format!("making pages {what}: {err}") },
    }
}
