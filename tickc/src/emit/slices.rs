//! Parts of slices and of arrays, and memory through raw pointers by methods.
//!
//! A part is a slice like any other: a pointer and a length, in two variables of the scope that the expression stands in.

use super::{Emitter, Place, Val};
use crate::machine::{Binary, BinaryOp, Compare, Comparison, Operand};
use crate::trap::TrapKind;
use crate::types::{
    DynamicType, Element, Exclusive, Indexable, Pointer, Scalar, Shared, Slice, SliceMut, Type, Writable,
};

/// The slice type of an access.
pub trait SliceOf {
    /// [`Slice`] or [`SliceMut`].
    type Slice<X: Element>: DynamicType;
}
impl SliceOf for Shared {
    type Slice<X: Element> = Slice<X>;
}
impl SliceOf for Exclusive {
    type Slice<X: Element> = SliceMut<X>;
}

impl Emitter {
    /// All of an array that is a place, as a slice.
    pub fn whole<X: Element, const N: usize, M: SliceOf>(&mut self, place: Place<[X; N], M>) -> Val<M::Slice<X>> {
        let place = self.memory_operand(place);
        let pointer = self.machine.pointer(place);
        Val::new(self.new_slice(pointer, Operand::constant(N as u64)))
    }

    /// A slice with this pointer and length.
    fn new_slice(&mut self, pointer: Operand, len: Operand) -> Operand {
        let mut home = |ty, value: Operand| {
            let home = if value.is_const() { value } else { self.machine.declare(ty, value) };
            self.declare_hidden(home)
        };
        let index = home(Type::Ptr, pointer);
        home(Type::Usize, len);
        Operand::pair(index)
    }

    /// `s[from..to]` where an element, a part or the length is meant. Traps where Rust panics.
    pub fn slice<S: Indexable>(
        &mut self,
        s: Val<S>,
        from: Option<Val<usize>>,
        to: Option<Val<usize>>,
        inclusive: bool,
    ) -> Val<S> {
        let (from, to) = (from.map(Val::into_operand), to.map(Val::into_operand));
        Val::new(self.part_of(s.into_operand(), size_of::<S::Elem>(), from, to, inclusive))
    }

    /// `&s[from..to]`
    pub fn slice_shared<S: Indexable>(
        &mut self,
        s: Val<S>,
        from: Option<Val<usize>>,
        to: Option<Val<usize>>,
        inclusive: bool,
    ) -> Val<Slice<S::Elem>> {
        Val::new(self.slice(s, from, to, inclusive).into_operand())
    }

    /// `&mut s[from..to]`
    pub fn slice_mut<S: Indexable<Access: Writable>>(
        &mut self,
        s: Val<S>,
        from: Option<Val<usize>>,
        to: Option<Val<usize>>,
        inclusive: bool,
    ) -> Val<SliceMut<S::Elem>> {
        Val::new(self.slice(s, from, to, inclusive).into_operand())
    }

    fn part_of(
        &mut self,
        slice: Operand,
        size: usize,
        from: Option<Operand>,
        to: Option<Operand>,
        inclusive: bool,
    ) -> Operand {
        let (pointer, len) = self.pair_homes(slice);
        let zero = Operand::constant(0);
        let from = from.map(|from| self.held(Type::Usize, from));
        // The end, after its check against the length.
        let (end, mut within) = match to {
            None => (len, true),
            Some(to) => {
                let to = self.held(Type::Usize, to);
                let beyond = if inclusive { Comparison::Ge } else { Comparison::Gt };
                let within = self.trap_where(beyond, to, len);
                let end = if inclusive { self.usize_op(BinaryOp::Add, to, Operand::constant(1)) } else { to };
                (self.held(Type::Usize, end), within)
            }
        };
        if let Some(from) = from {
            within &= fault!(39) || self.trap_where(Comparison::Gt, from, end);
        }
        let from = from.unwrap_or(zero);
        if !within {
            self.machine.release(from);
            self.machine.release(end);
            return self.constant_pair(0, 0);
        }
        let new_len = self.usize_op(BinaryOp::Sub, end, self.borrow(from));
        let pointer = match (pointer.is_const() && from.is_const(), from.is_const() && from.body == 0) {
            (_, true) => pointer,
            (true, _) => Operand::constant(pointer.body.wrapping_add(from.body.wrapping_mul(size as u64))),
            _ => {
                let place = self.element_address(pointer, from, size);
                self.machine.pointer(place)
            }
        };
        self.new_slice(pointer, new_len)
    }

    /// A number from [`Emitter::held`] to be read before it is consumed.
    fn borrow(&self, a: Operand) -> Operand {
        if a.is_const() { a } else { self.machine.borrowed(a) }
    }

    fn usize_op(&mut self, op: BinaryOp, a: Operand, b: Operand) -> Operand {
        self.binary(Binary { op, ty: Type::Usize }, a, b)
    }

    /// Traps if `a op b`; whether control can go on.
    fn trap_where(&mut self, op: Comparison, a: Operand, b: Operand) -> bool {
        let (a, b) = (self.borrow(a), self.borrow(b));
        let outside = self.compare(Compare { op, ty: Type::Usize }, a, b);
        if outside.is_const() && outside.body == 0 {
            return true;
        }
        self.machine.trap_if(outside, TrapKind::IndexOutOfBounds);
        !outside.is_const()
    }

    /// `p.read()`, aligned or not.
    pub fn place_read<T: Scalar, M>(&mut self, place: Place<T, M>) -> Val<T> {
        self.read(place)
    }

    /// `p.write(v)`, aligned or not.
    pub fn place_write<T: Scalar, M: Writable>(&mut self, place: Place<T, M>, v: Val<T>) -> Val<()> {
        self.store(place, v);
        self.unit()
    }

    /// `p.read_volatile()`
    pub fn place_read_volatile<T: Scalar, M>(&mut self, place: Place<T, M>) -> Val<T> {
        let place = self.memory_operand(place);
        Val::new(self.machine.load_volatile(T::TYPE, place))
    }

    /// `p.write_volatile(v)`
    pub fn place_write_volatile<T: Scalar, M: Writable>(&mut self, place: Place<T, M>, v: Val<T>) -> Val<()> {
        let place = self.memory_operand(place);
        self.machine.store_volatile(T::TYPE, place, v.into_operand());
        self.unit()
    }

    /// `p.offset_from(q)`: how many elements lie between two places of one object.
    ///
    /// # Safety
    /// As for the method of Rust, whenever the function compiled runs.
    #[allow(unsafe_code, reason = "the user's own `unsafe` block stands around the call")]
    pub unsafe fn ptr_offset_from<P: Pointer>(&mut self, p: Val<P>, q: Val<*const P::Pointee>) -> Val<isize>
    where
        P::Pointee: 'static,
    {
        const { assert!(size_of::<P::Pointee>() != 0, "`offset_from` of pointers to what has no size") };
        let bytes = self.usize_op(BinaryOp::Sub, p.into_operand(), q.into_operand());
        let (bytes, size) = (Val::new(bytes), self.lit(size_of::<P::Pointee>() as isize));
        self.div(bytes, size)
    }
}
