//! Where fragments live: thread-local chunks that are rewound or freed as wholes.
//!
//! A fragment is a closure and its captures. Allocating one bumps a pointer. Each counts its handles (`Code`), and its **chunk**
//! counts the fragments made in it and those whose last handle is gone; when these are as many, the chunk is rewound or freed
//! as a whole, without looking at what is in it. tcc's arena, emptied at `compile`, with a life of its own.
//!
//! ```text
//!   Code ──► ┌─ chunk, 32 KiB, aligned to its size ───────────────────────┐
//!            │ top, made │ gone │ deps │ fragment │ fragment │ …     free │
//!            └────────────────────┬───────────────────────────────────────┘
//!                                 └─► older chunks with fragments that fragments in here have captured
//! ```
//!
//! What counting costs is not instructions but waiting: each change of a counter in memory waits for the one before. So no counter is
//! changed by all: handles count at their own fragment, making fragments and dropping them at words of their own.
//!
//! # Invariants
//! - A1: what lies in a chunk needs no drop. A fragment with a capture that does (or that captured such a fragment) is
//!   **boxed**: allocated and counted on its own, so that captures die with their last handle and never after what they borrow.
//! - A2: a fragment's captured fragments live as long as it does: in the same chunk, or in a chunk that the chunk's `deps`
//!   hold (counted there as a fragment made, while they do), or, for a boxed fragment, by a counted handle of its own. The
//!   handle in a chunk is neither counted nor ever dropped: whoever reaches it, through a fragment, may read the flags and instantiate.
//! - A3: dropping is flat: chains of chunks, and of boxed fragments that lie in each other's captures, are taken down by loops,
//!   not by recursion.
//! - A4: a boxed fragment is dropped before the drop of its last handle returns, unless that handle is a capture of one that is
//!   being dropped: only then is it known, by the type of the captures, that what it borrows lives on until the loop is done. A
//!   handle elsewhere, say in the frame of somebody's `Drop` or in a future, may lie beside what it borrows.
//! - A5: chains of chunks that depend on each other are at most [`MAX_DEPTH`] long: a fragment that would make a longer one is boxed.
//!   Fragments that replace each other one by one, as in a cache, would otherwise let each chunk hold the one before, for ever.
//!
//! Cost: one more fragment about 8 cycles; a long-lived handle pins its chunk and the chunks this one depends on.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::ptr::{NonNull, null, null_mut};

use super::{BOXED, Header};

/// Size and alignment of a chunk in bytes.
const CHUNK: usize = 32 * 1024;
/// Fragments that are larger or aligned more strictly than these are boxed.
pub(super) const MAX_SIZE: usize = 4096;
pub(super) const MAX_ALIGN: usize = 16;
/// Fragments take multiples of this.
const GRAIN: usize = 8;

/// The head of a chunk.
#[repr(C, align(16))]
pub(super) struct Chunk {
    /// In the lower half the offset of the first free byte, a multiple of 8; it grows. In units of [`MADE`]: how many fragments were
    /// made in here, plus how many chunks depend on this one.
    bump: Cell<u64>,
    /// How many fragments are gone: have no handle any more.
    gone: Cell<u64>,
    /// The length of the longest chain of chunks of which this one depends on the first, that on the second, and so on.
    depth: Cell<u32>,
    /// Older chunks that this one depends on.
    deps: RefCell<Vec<NonNull<Chunk>>>,
}

/// One fragment made, or one chunk that depends, in [`Chunk::bump`].
const MADE: u64 = 1 << 32;
/// The longest chain of chunks (A5): 8 MiB.
const MAX_DEPTH: u32 = 256;

impl Chunk {
    /// The offset of the first free byte.
    #[inline(always)]
    fn top(&self) -> usize {
        self.bump.get() as u32 as usize
    }

    /// Notes that a fragment is gone. Whether nobody is left.
    #[inline(always)]
    fn lose_one(&self) -> bool {
        self.gone.set(self.gone.get() + 1);
        !self.is_needed()
    }

    /// Notes that another chunk depends on this one.
    fn add_dependent(&self) {
        // More chunks than memory has room for.
        let Some(bump) = self.bump.get().checked_add(MADE) else { std::process::abort() };
        self.bump.set(bump);
    }

    /// Notes that a chunk that depended on this one does so no more. Whether nobody is left.
    fn lose_dependent(&self) -> bool {
        self.bump.set(self.bump.get() - MADE);
        !self.is_needed()
    }

    /// Whether there are handles of fragments in here, or chunks that depend on it.
    #[inline(always)]
    fn is_needed(&self) -> bool {
        self.gone.get() != self.bump.get() / MADE
    }

    /// Makes the chunk empty.
    #[inline(always)]
    fn rewind(&self) {
        self.bump.set(FIRST as u64);
        self.gone.set(0);
        self.depth.set(0);
    }
}

const FIRST: usize = size_of::<Chunk>();
const LAYOUT: Layout = match Layout::from_size_align(CHUNK, CHUNK) {
    Ok(layout) => layout,
    Err(_) => panic!("the size of a chunk is a power of two"),
};

thread_local! {
    /// The chunk that new fragments go to; null before the first and after the thread's end.
    static CURRENT: Cell<*mut Chunk> = const { Cell::new(null_mut()) };
    /// Gives the current chunk back when the thread ends.
    static AT_EXIT: AtExit = const { AtExit };
    /// The innermost loop that drops boxed fragments; null if there is none. Without a destructor, so that it is there until the
    /// thread has ended.
    static DROPPING: Cell<*const Dropping> = const { Cell::new(null()) };
}

/// A loop that drops boxed fragments (A3). Lies in the frame of [`drop_boxed`].
pub(super) struct Dropping {
    /// First and last address of the fragment whose captures are being dropped.
    memory: Cell<(usize, usize)>,
    /// What the loop will drop next: fragments whose last handle lay in such memory (A4).
    list: RefCell<Vec<NonNull<Boxed>>>,
}

impl Dropping {
    /// Notes what is about to be dropped: a fragment with all its captures.
    pub(super) fn begin<W>(&self, whole: *const W) {
        self.memory.set((whole.addr(), whole.addr() + size_of::<W>() - 1));
    }

    fn holds(&self, address: usize) -> bool {
        let (first, last) = self.memory.get();
        (first..=last).contains(&address)
    }
}

/// How much stack is left for what users drop within drops within drops.
const STACK_RESERVE: usize = 32 * 1024;

struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        let chunk = CURRENT.replace(null_mut());
        if let Some(chunk) = NonNull::new(chunk) {
            // SAFETY: `chunk` was current, hence it is live; as it is no longer current, the last handle or dependent chunk frees it.
            if !unsafe { chunk.as_ref() }.is_needed() {
                free_chunks(chunk);
            }
        }
    }
}

/// Room for a fragment of `layout` in the current chunk, which counts it as made, and the chunk.
///
/// `layout` is at most `MAX_SIZE` long and aligned to at most `MAX_ALIGN`.
#[inline(always)]
pub(super) fn allocate(layout: Layout) -> (NonNull<u8>, NonNull<Chunk>) {
    debug_assert!(layout.size() <= MAX_SIZE && layout.align() <= MAX_ALIGN);
    if let Some(chunk) = NonNull::new(CURRENT.get()) {
        // SAFETY: the current chunk is live; only this thread knows of it.
        let head = unsafe { chunk.as_ref() };
        let start = first_fit(head.top(), layout);
        let end = start + layout.size().next_multiple_of(GRAIN);
        if end <= CHUNK {
            head.bump.set(head.bump.get() + (MADE + (end - head.top()) as u64));
            // SAFETY: `start` lies within the chunk's allocation.
            return (unsafe { chunk.cast::<u8>().add(start) }, chunk);
        }
    }
    allocate_in_new_chunk(layout)
}

/// Where a fragment of `layout` begins if the first free byte is at `top`, which is a multiple of [`GRAIN`].
#[inline(always)]
fn first_fit(top: usize, layout: Layout) -> usize {
    if layout.align() <= GRAIN { top } else { top.next_multiple_of(layout.align()) }
}

#[cold]
#[inline(never)]
fn allocate_in_new_chunk(layout: Layout) -> (NonNull<u8>, NonNull<Chunk>) {
    // SAFETY: the layout has a size.
    let Some(chunk) = NonNull::new(unsafe { alloc(LAYOUT) }.cast::<Chunk>()) else { handle_alloc_error(LAYOUT) };
    let start = first_fit(FIRST, layout);
    let end = start + layout.size().next_multiple_of(GRAIN);
    let head = Chunk {
        bump: Cell::new(MADE + end as u64),
        gone: Cell::new(0),
        depth: Cell::new(0),
        deps: RefCell::new(Vec::new()),
    };
    // SAFETY: freshly allocated, large enough and aligned.
    unsafe { chunk.write(head) };
    // During the thread's exit there may be no more `AT_EXIT` to give the chunk back: then it is never current, and its
    // last handle frees it.
    if AT_EXIT.try_with(|_| ()).is_ok() {
        // The chunk before is freed by its last handle or dependent chunk: were there none, it would be empty, with room enough.
        CURRENT.set(chunk.as_ptr());
    }
    // SAFETY: `start` lies within the chunk's allocation.
    (unsafe { chunk.cast::<u8>().add(start) }, chunk)
}

/// The chunk in which a fragment that is not boxed lies.
///
/// # Safety
/// `fragment` was placed in memory of [`allocate`].
#[inline(always)]
unsafe fn chunk_of(fragment: NonNull<Header>) -> NonNull<Chunk> {
    // SAFETY: chunks are aligned to their size, so masking gives the chunk's start, which is not null.
    unsafe { NonNull::new_unchecked(fragment.as_ptr().map_addr(|a| a & !(CHUNK - 1)).cast()) }
}

/// Adds a handle.
///
/// # Safety
/// `fragment` is live, and has a handle.
#[inline(always)]
pub(super) unsafe fn retain(fragment: NonNull<Header>) {
    // SAFETY: live, by the caller's promise.
    let handles = unsafe { &fragment.as_ref().handles };
    let more = handles.get().wrapping_add(1);
    // Too many; or there is none: what lies in a chunk is no handle to clone (A2).
    if more <= 1 {
        std::process::abort();
    }
    handles.set(more);
}

/// Takes a handle away, which lay at the address `handle`.
///
/// # Safety
/// The caller owned the handle.
#[inline(always)]
pub(super) unsafe fn release(fragment: NonNull<Header>, handle: usize) {
    // SAFETY: live, as the caller owns a handle; its last handle is gone if there are none left.
    unsafe {
        if !forget_handle(fragment) {
        } else if fragment.as_ref().flags & BOXED == 0 {
            lose_one(chunk_of(fragment));
        } else {
            release_boxed(boxed_of(fragment), handle);
        }
    }
}

/// Takes a handle off the count of a fragment. Whether it was the last one.
///
/// # Safety
/// The caller owned the handle.
#[inline(always)]
unsafe fn forget_handle(fragment: NonNull<Header>) -> bool {
    // SAFETY: live, as the caller owns a handle.
    let handles = unsafe { &fragment.as_ref().handles };
    debug_assert!(handles.get() > 0, "a handle that is not counted");
    handles.set(handles.get() - 1);
    handles.get() == 0
}

/// Notes that a fragment of a chunk is gone.
///
/// # Safety
/// The chunk counts it as made, and not yet as gone.
#[inline(always)]
unsafe fn lose_one(chunk: NonNull<Chunk>) {
    // SAFETY: live, as somebody was counted until now.
    let head = unsafe { chunk.as_ref() };
    if head.lose_one() {
        // The usual case after `compile`: all fragments lie in the current chunk, and it depends on no other.
        if CURRENT.get() == chunk.as_ptr() && head.deps.borrow().is_empty() {
            head.rewind();
        } else {
            free_chunks(chunk);
        }
    }
}

/// Frees a chunk that nobody needs, and the chunks that nobody else needed (A3). The current chunk is rewound instead.
#[cold]
#[inline(never)]
fn free_chunks(first: NonNull<Chunk>) {
    let mut work = vec![first];
    while let Some(chunk) = work.pop() {
        // SAFETY: a chunk in `work` is live and nobody needs it.
        let deps = unsafe { chunk.as_ref() }.deps.take();
        for dep in deps {
            // SAFETY: live, as `chunk` was counted there.
            if unsafe { dep.as_ref() }.lose_dependent() {
                work.push(dep);
            }
        }
        if CURRENT.get() == chunk.as_ptr() {
            // SAFETY: live, as it is current.
            unsafe { chunk.as_ref() }.rewind();
        } else {
            // SAFETY: allocated by `allocate_in_new_chunk` with this layout; its head was live until here.
            unsafe {
                chunk.drop_in_place();
                dealloc(chunk.as_ptr().cast(), LAYOUT);
            }
        }
    }
}

/// Turns the counted handle of `captured`, of which there is a copy in `chunk`, into a dependence of the chunk (A2).
///
/// # Safety
/// The caller owns a handle of `captured`, which is not boxed, and gives it up; `chunk` is live.
#[inline(always)]
pub(super) unsafe fn settle(captured: NonNull<Header>, chunk: NonNull<Chunk>) {
    // SAFETY: live and not boxed, by the caller's promise.
    let holder = unsafe { chunk_of(captured) };
    if holder != chunk {
        depend(chunk, holder);
    }
    // SAFETY: the caller owned the handle. If it was the last, the holder loses the fragment; it is not freed, as `chunk` depends
    // on it, or counts the fragment being made in it.
    unsafe {
        if forget_handle(captured) {
            lose_one(holder);
        }
    }
}

/// Lets `chunk` depend on `holder`.
#[cold]
#[inline(never)]
fn depend(chunk: NonNull<Chunk>, holder: NonNull<Chunk>) {
    // SAFETY: both are live: `holder` by a handle that the caller has, `chunk` by the fragment being made.
    let (chunk, head) = unsafe { (chunk.as_ref(), holder.as_ref()) };
    let mut deps = chunk.deps.borrow_mut();
    // Captures come in runs from one chunk, so the last few entries are the ones worth looking at; a duplicate is harmless, as it
    // is counted on its own.
    if !deps.iter().rev().take(8).any(|&dep| dep == holder) {
        head.add_dependent();
        deps.push(holder);
        chunk.depth.set(chunk.depth.get().max(head.depth.get() + 1));
    }
}

/// Whether a fragment in `chunk` that captures `captured` would make a chain of chunks too long (A5).
///
/// # Safety
/// `captured` is live and not boxed.
#[inline(always)]
pub(super) unsafe fn is_too_deep(captured: NonNull<Header>, chunk: NonNull<Chunk>) -> bool {
    // SAFETY: by the caller's promise.
    let holder = unsafe { chunk_of(captured) };
    // SAFETY: live, as a fragment in it is.
    holder != chunk && unsafe { holder.as_ref() }.depth.get() >= MAX_DEPTH
}

/// Gives up memory of [`allocate`] that nothing was written to.
///
/// # Safety
/// The memory is not used again.
#[cold]
pub(super) unsafe fn abandon(chunk: NonNull<Chunk>) {
    // SAFETY: the chunk has counted it.
    unsafe { lose_one(chunk) };
}

/// The head of a boxed fragment; the fragment's own [`Header`] follows at once.
#[repr(C, align(16))]
pub(super) struct Boxed {
    /// Drops the captures and frees the memory, after [`Dropping::begin`].
    drop: unsafe fn(NonNull<Boxed>, &Dropping),
    /// The header of the fragment.
    pub(super) header: Header,
}

/// # Safety
/// `fragment` is the header within a [`Boxed`].
#[inline(always)]
unsafe fn boxed_of(fragment: NonNull<Header>) -> NonNull<Boxed> {
    // SAFETY: by the caller's promise the header is a field of a `Boxed`.
    unsafe { fragment.byte_sub(std::mem::offset_of!(Boxed, header)).cast() }
}

/// # Safety
/// The caller owned the last handle, which lay at the address `handle`.
#[inline(never)]
unsafe fn release_boxed(boxed: NonNull<Boxed>, handle: usize) {
    let outer = DROPPING.get();
    // SAFETY: it lies in the frame of a call of `drop_boxed` that has not ended: at its end that call takes it out of `DROPPING`.
    if let Some(outer) = unsafe { outer.as_ref() } {
        if outer.holds(handle) {
            outer.list.borrow_mut().push(boxed);
            return;
        }
        let (low, here) = (crate::stack::limit(), crate::stack::pointer());
        if (low..low + STACK_RESERVE).contains(&here) {
            // Fragments in containers in fragments in containers …: a leak is better than a crash.
            return;
        }
    }
    drop_boxed(boxed, outer);
}

/// Drops a boxed fragment that nobody holds a handle of any more, and with it those that lived by its captures (A3).
fn drop_boxed(boxed: NonNull<Boxed>, outer: *const Dropping) {
    /// Goes back to the outer loop, also when a capture's drop panics: what is on the list then leaks, which is safe.
    struct Restore(*const Dropping);
    impl Drop for Restore {
        fn drop(&mut self) {
            DROPPING.set(self.0);
        }
    }
    let dropping = Dropping { memory: Cell::new((1, 0)), list: RefCell::new(Vec::new()) };
    let _restore = Restore(outer);
    DROPPING.set(&raw const dropping);
    let mut next = Some(boxed);
    while let Some(boxed) = next {
        // SAFETY: nobody holds a handle any more.
        unsafe { (boxed.as_ref().drop)(boxed, &dropping) };
        next = dropping.list.borrow_mut().pop();
    }
}

impl Boxed {
    /// The head of a boxed fragment.
    pub(super) fn new(drop: unsafe fn(NonNull<Boxed>, &Dropping), header: Header) -> Boxed {
        Boxed { drop, header }
    }
}
