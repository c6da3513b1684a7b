//! The record of one function, and the lists such records live in.
//!
//! A node passes between its holders (I3) through the link inside it: the spares of a cache, batches of spares in the
//! region, and the stack of released nodes. The stack is Treiber's; it is only ever emptied as a whole, so a node can
//! not reappear under a thread that is popping it, and needs no version counter.

use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::free_list::Span;

/// One function: where its code is, and what its owner keeps beside it. A line of its own, because the payload's
/// reference count is written by many threads.
#[repr(C, align(64))]
pub(crate) struct Node<P> {
    /// The next node of the list this one is in.
    pub(super) next: *mut Node<P>,
    /// Start of the code in the executable view.
    pub(super) exec: *const u8,
    /// Bytes asked for; the range taken is this, rounded up to the granule.
    pub(super) len: u32,
    /// Initialised while the node is published.
    pub(super) payload: MaybeUninit<P>,
}

// A `&Node` exists only of published nodes: inside this module unpublished ones are touched through raw pointers.
impl<P> Node<P> {
    /// Start of the code.
    #[inline]
    pub(crate) fn exec(&self) -> *const u8 {
        self.exec
    }

    /// Length of the code in bytes, as reserved.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// What was committed with the code.
    #[inline]
    pub(crate) fn payload(&self) -> &P {
        // SAFETY: the node is published, and a published node's payload is initialised (I3).
        unsafe { self.payload.assume_init_ref() }
    }
}

impl<P> Node<P> {
    /// A published node without code, outside of every region: for what is kept as a function is, but is none.
    pub(crate) fn detached(payload: P) -> NonNull<Node<P>> {
        let node = Node { next: ptr::null_mut(), exec: ptr::null(), len: 0, payload: MaybeUninit::new(payload) };
        NonNull::from(Box::leak(Box::new(node)))
    }

    /// Frees a detached node.
    ///
    /// # Safety
    /// `node` is from [`Node::detached`], and nobody uses it any more.
    pub(crate) unsafe fn free_detached(node: NonNull<Node<P>>) {
        // SAFETY: leaked from a box by `detached`, freed once by the caller's promise; it was made with a payload.
        unsafe { Box::from_raw(node.as_ptr()).payload.assume_init_drop() };
    }
}

/// Released nodes, waiting to be collected. Alone on its cache line.
#[repr(align(64))]
pub(super) struct Released<P> {
    head: AtomicPtr<Node<P>>,
}

impl<P> Released<P> {
    pub(super) const fn new() -> Released<P> {
        Released { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// # Safety
    /// The caller holds `node`, and gives it up.
    #[inline]
    pub(super) unsafe fn push(&self, node: *mut Node<P>) {
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the caller holds the node until the exchange succeeds.
            unsafe { (*node).next = head };
            // Release: whoever collects the node sees everything done with it before.
            match self.head.compare_exchange_weak(head, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes all nodes, as a list that ends in null.
    pub(super) fn take_all(&self) -> *mut Node<P> {
        self.head.swap(ptr::null_mut(), Ordering::Acquire)
    }
}

/// Spare nodes that change hands together; never empty.
pub(super) struct Batch<P> {
    pub(super) head: *mut Node<P>,
    /// The last node from `head`; its link is not meaningful.
    pub(super) tail: *mut Node<P>,
    pub(super) count: u32,
}

/// Nodes in a batch, at most.
pub(super) const BATCH: u32 = 256;

/// The region's spare nodes, and the storage of all nodes.
pub(super) struct NodeStore<P> {
    spares: Vec<Batch<P>>,
    slabs: Vec<NonNull<[Node<P>]>>,
}

impl<P> NodeStore<P> {
    pub(super) const fn new() -> NodeStore<P> {
        NodeStore { spares: Vec::new(), slabs: Vec::new() }
    }

    /// Nodes ever made.
    pub(super) fn made(&self) -> usize {
        self.slabs.iter().map(|slab| slab.len()).sum()
    }

    /// Hands out some spare nodes, new ones if there are none.
    pub(super) fn take_batch(&mut self) -> Batch<P> {
        self.spares.pop().unwrap_or_else(|| self.make_batch())
    }

    /// Hands out one node.
    pub(super) fn take_one(&mut self) -> *mut Node<P> {
        let mut batch = self.take_batch();
        let node = batch.head;
        if batch.count > 1 {
            // SAFETY: the batch is ours, and `head` is not its last node, so its link is valid.
            batch.head = unsafe { (*node).next };
            batch.count -= 1;
            self.spares.push(batch);
        }
        node
    }

    /// Recycles a null-terminated list of nodes without payload, and shows the node and its place to `each`.
    ///
    /// # Safety
    /// The caller holds all nodes of the list, and gives them up.
    pub(super) unsafe fn recycle(&mut self, mut head: *mut Node<P>, mut each: impl FnMut(*const u8, u32)) {
        while !head.is_null() {
            let mut batch = Batch { head, tail: head, count: 0 };
            while !head.is_null() && batch.count < BATCH {
                // SAFETY: the list is ours, by the caller's promise.
                let (exec, len, next) = unsafe { ((*head).exec, (*head).len, (*head).next) };
                each(exec, len);
                batch.tail = head;
                batch.count += 1;
                head = next;
            }
            self.spares.push(batch);
        }
    }

    #[cold]
    fn make_batch(&mut self) -> Batch<P> {
        let mut slab: Box<[Node<P>]> = (0..BATCH)
            .map(|_| Node { next: ptr::null_mut(), exec: ptr::null(), len: 0, payload: MaybeUninit::uninit() })
            .collect();
        let first = slab.as_mut_ptr();
        self.slabs.push(NonNull::from(Box::leak(slab)));
        let count = BATCH as usize;
        for i in 0..count - 1 {
            // SAFETY: both indices lie inside the slab just made, which nobody else knows.
            unsafe { (*first.add(i)).next = first.add(i + 1) };
        }
        // SAFETY: the index lies inside the slab.
        let tail = unsafe { first.add(count - 1) };
        Batch { head: first, tail, count: BATCH }
    }
}

impl<P> Drop for NodeStore<P> {
    fn drop(&mut self) {
        for slab in self.slabs.drain(..) {
            // SAFETY: leaked from a box by `make_batch`, and freed once. The region is going away, so that its nodes
            // have no users left; payloads of functions still alive are leaked.
            drop(unsafe { Box::from_raw(slab.as_ptr()) });
        }
    }
}

/// Joins released ranges while they come: neighbours released one after the other, upwards or downwards.
#[derive(Default)]
pub(super) struct Runs {
    list: Vec<Span>,
}

impl Runs {
    #[inline]
    pub(super) fn add(&mut self, start: u32, len: u32) {
        if let Some(last) = self.list.last_mut() {
            if start + len == last.start {
                last.start = start;
                last.len += len;
                return;
            }
            if last.start + last.len == start {
                last.len += len;
                return;
            }
        }
        self.list.push(Span { start, len });
    }

    /// The runs; leaves `self` empty, with its storage.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Span> {
        self.list.drain(..)
    }
}
