//! What one thread holds in advance, and the reservations it makes from it.
//!
//! Cost: a reservation that the current span can serve is about ten instructions.

use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};

use super::AllocError;
use super::free_list::{Span, Spans};
use super::node::{Batch, Node};
use super::region::{LARGE, Region};

/// Spare nodes a thread holds after a refill, at least.
pub(super) const SPARES: u32 = 256;

/// One thread's stock of code memory and nodes.
pub(crate) struct Cache<'r, P> {
    region: &'r Region<P>,
    /// The rest of the current span: first free byte, as an offset; grows up, in granules.
    next: Cell<u32>,
    /// Its end.
    end: Cell<u32>,
    /// Number of nodes in `spare`.
    spares: Cell<u32>,
    /// Spare nodes, linked.
    spare: Cell<*mut Node<P>>,
    /// Further spans.
    spans: RefCell<Spans>,
}

impl<'r, P> Cache<'r, P> {
    pub(crate) fn new(region: &'r Region<P>) -> Cache<'r, P> {
        Cache {
            region,
            next: Cell::new(0),
            end: Cell::new(0),
            spares: Cell::new(0),
            spare: Cell::new(ptr::null_mut()),
            spans: RefCell::new(Spans::new()),
        }
    }

    /// A place for `len` bytes of code, aligned to a granule.
    #[inline]
    pub(crate) fn reserve(&self, len: usize) -> Result<Reservation<'r, P>, AllocError> {
        match self.reserve_held(len) {
            Some(reservation) => Ok(reservation),
            None => self.reserve_slow(len),
        }
    }

    /// The same, if what the thread holds will do.
    #[inline]
    pub(super) fn reserve_held(&self, len: usize) -> Option<Reservation<'r, P>> {
        let len = len.max(1);
        let start = self.next.get();
        // The room is whole granules: where `len` fits, `len` rounded up fits.
        if len > (self.end.get() - start) as usize || self.spares.get() == 0 {
            return None;
        }
        let len = len as u32;
        self.next.set(start + self.region.round(len));
        let node = self.spare.get();
        self.spares.set(self.spares.get() - 1);
        // SAFETY: `spares` was not 0, so `spare` is a node, and ours; the range was just cut from our span.
        unsafe {
            self.spare.set((*node).next);
            self.region.place(node, start, len);
            Some(Reservation { region: self.region, node: NonNull::new_unchecked(node) })
        }
    }

    #[cold]
    fn reserve_slow(&self, len: usize) -> Result<Reservation<'r, P>, AllocError> {
        if len > LARGE {
            return Ok(Reservation { region: self.region, node: self.region.reserve_large(len)? });
        }
        let rounded = self.region.round(len as u32);
        if self.spares.get() == 0 || !self.switch_span(rounded) {
            self.region.refill(self, rounded)?;
            let fits = self.switch_span(rounded);
            assert!(fits, "a refill brings a span that fits");
        }
        self.reserve(len)
    }

    /// Makes a held span of at least `need` bytes the current one. The rest of the old one stays in its place.
    fn switch_span(&self, need: u32) -> bool {
        let mut spans = self.spans.borrow_mut();
        let Some(span) = spans.as_mut_slice().iter_mut().rev().find(|span| span.len >= need) else {
            return false;
        };
        let rest = Span { start: self.next.get(), len: self.end.get() - self.next.get() };
        self.next.set(span.start);
        self.end.set(span.start + span.len);
        *span = rest;
        true
    }

    /// Gives up all spans.
    pub(super) fn give_back_spans(&self, mut to: impl FnMut(Span)) {
        let start = self.next.replace(0);
        to(Span { start, len: self.end.replace(0) - start });
        let mut spans = self.spans.borrow_mut();
        while let Some(span) = spans.pop() {
            to(span);
        }
    }

    /// Lets the region put spans in; there are none before.
    pub(super) fn receive_spans(&self, fill: impl FnOnce(&mut Spans)) {
        fill(&mut self.spans.borrow_mut());
    }

    pub(super) fn spares(&self) -> u32 {
        self.spares.get()
    }

    pub(super) fn add_spares(&self, batch: Batch<P>) {
        // SAFETY: the batch is ours now; its last node's link is free for use.
        unsafe { (*batch.tail).next = self.spare.get() };
        self.spare.set(batch.head);
        self.spares.set(self.spares.get() + batch.count);
    }

    /// Gives up all spare nodes, as a list that ends in null.
    pub(super) fn take_spares(&self) -> *mut Node<P> {
        self.spares.set(0);
        self.spare.replace(ptr::null_mut())
    }
}

impl<P> Drop for Cache<'_, P> {
    fn drop(&mut self) {
        self.region.retire(self);
    }
}

/// A place for one function, not published yet. Dropped without `commit`, it is given back.
pub(crate) struct Reservation<'r, P> {
    region: &'r Region<P>,
    node: NonNull<Node<P>>,
}

impl<'r, P> Reservation<'r, P> {
    /// Where the code will run: known before it is written, so that relative addresses can be computed.
    #[inline]
    pub(crate) fn exec(&self) -> *const u8 {
        // SAFETY: a reservation holds its node (I3).
        unsafe { (*self.node.as_ptr()).exec }
    }

    /// The bytes to fill in. They hold zeros or old code before.
    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: a reservation holds its node and range (I2, I3): the bytes are mapped, initialised (zero pages or
        // older code) and nobody else's, and the borrow ends before they are published. In flip mode the range was
        // made writable when the thread received it.
        unsafe {
            let node = self.node.as_ptr();
            std::slice::from_raw_parts_mut(self.region.write_ptr((*node).exec), (*node).len as usize)
        }
    }

    /// Publishes the code. An error (in flip mode only) gives the place back.
    #[inline(always)]
    pub(crate) fn publish(self) -> Result<Published<'r, P>, AllocError> {
        if self.region.flips() {
            // SAFETY: a reservation holds its node.
            let (exec, len) = unsafe { ((*self.node.as_ptr()).exec, (*self.node.as_ptr()).len) };
            self.region.publish(exec, len)?;
        }
        Ok(Published(self))
    }
}

/// A place whose code is published; its node awaits its payload.
pub(crate) struct Published<'r, P>(Reservation<'r, P>);

impl<P> Published<'_, P> {
    /// Completes the node. It stays where it is until `Region::release`, which drops the payload.
    #[inline(always)] // The payload is built in its place; a copy through the stack would cost more than the rest.
    pub(crate) fn commit(self, payload: P) -> NonNull<Node<P>> {
        let node = self.0.node;
        std::mem::forget(self);
        // SAFETY: the reservation held its node, and handed it to this function just now.
        unsafe { (&raw mut (*node.as_ptr()).payload).cast::<P>().write(payload) };
        node
    }
}

impl<P> Drop for Reservation<'_, P> {
    fn drop(&mut self) {
        self.region.abandon(self.node);
    }
}
