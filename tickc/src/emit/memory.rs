//! Memory: slices, records, arrays in records, raw pointers.

use super::{Emitter, Place, Val};
use crate::machine::{Binary, BinaryOp, Compare, Comparison, Operand};
use crate::record::{Field, Record};
use crate::trap::TrapKind;
use crate::types::{
    Bits, DynamicType, Element, Indexable, Int, Number, Pointer, RecordRef, Ref, RefMut, Scalar, Shape, Type, Writable,
};

impl Emitter {
    /// A constant slice. Whoever passes it keeps it alive as long as the function.
    pub(crate) fn lit_slice<X: Element, S: DynamicType>(&mut self, slice: &[X]) -> Val<S> {
        debug_assert_eq!(S::SHAPE, Shape::Pair);
        let pair = self.constant_pair(slice.as_ptr().expose_provenance() as u64, slice.len() as u64);
        Val::new(pair)
    }

    /// `s[i]`, checked.
    #[inline]
    pub fn index<S: Indexable>(&mut self, s: Val<S>, i: Val<usize>) -> Place<S::Elem, S::Access> {
        let (pointer, len) = self.pair_homes(s.into_operand());
        let i = i.into_operand();
        if pointer.is_const()
            && let Some(place) = captured_element(pointer, len, i)
        {
            return place;
        }
        let i = self.checked_index(i, len);
        Place::at(self.element_address(pointer, i, size_of::<S::Elem>()))
    }

    /// `s[i]` where the loop around it has proved `i` to be less than `s.len()`.
    #[inline]
    pub fn index_proved<S: Indexable>(&mut self, s: Val<S>, i: Val<usize>) -> Place<S::Elem, S::Access> {
        let (pointer, len) = self.pair_homes(s.into_operand());
        let i = i.into_operand();
        if pointer.is_const()
            && let Some(place) = captured_element(pointer, len, i)
        {
            return place;
        }
        Place::at(self.element_address(pointer, i, size_of::<S::Elem>()))
    }

    /// `place[i]` of an array in a record, checked.
    #[inline]
    pub fn index_place<X: Element, const N: usize, M>(
        &mut self,
        place: Place<[X; N], M>,
        i: Val<usize>,
    ) -> Place<X, M> {
        // All displacements within an array fit the 31 bits that a `Place` has for them, as within a record.
        const { assert!(size_of::<[X; N]>() <= i32::MAX as usize, "an array of 2 GiB or more is indexed by dynamic code") };
        let i = i.into_operand();
        if i.is_const() && i.body < N as u64 {
            return place.part((i.body as usize * size_of::<X>()) as i32);
        }
        let i = self.checked_index(i, Operand::constant(N as u64));
        if i.is_const() {
            return place.part(0);
        }
        let place = self.memory_operand(place);
        Place::at(self.machine.element(place, i, size_of::<X>() as u32))
    }

    /// A place as a memory operand.
    #[inline]
    pub(super) fn memory_operand<T, M>(&mut self, place: Place<T, M>) -> Operand {
        if place.is_pointer {
            self.machine.address(place.operand, None, 0, place.disp)
        } else if place.disp != 0 {
            self.machine.displaced(place.operand, place.disp)
        } else {
            place.operand
        }
    }

    /// The address `pointer + i * size`.
    pub(super) fn element_address(&mut self, pointer: Operand, i: Operand, size: usize) -> Operand {
        if i.is_const()
            && let Some(disp) = (i.body as usize).checked_mul(size).and_then(|d| i32::try_from(d).ok())
        {
            return self.machine.address(pointer, None, 0, disp);
        }
        let Ok(size) = u32::try_from(size) else {
            let offset = self.binary(Binary { op: BinaryOp::Mul, ty: Type::Usize }, i, Operand::constant(size as u64));
            return self.machine.address(pointer, Some(offset), 1, 0);
        };
        self.machine.address(pointer, Some(i), size, 0)
    }

    /// An index after its check against `len`.
    #[inline]
    pub(super) fn checked_index(&mut self, i: Operand, len: Operand) -> Operand {
        if i.is_const() {
            if len.is_const() {
                if i.body < len.body {
                    return i;
                }
                self.machine.trap_if(Operand::constant(1), TrapKind::IndexOutOfBounds);
                return Operand::constant(0);
            }
            // Constant index, variable length: trap if len <= i.
            let outside = self.machine.compare_wide(
                Compare { op: if fault!(37) { Comparison::Lt } else { Comparison::Le }, ty: Type::Usize },
                len,
                i,
            );
            self.machine.trap_if(outside, TrapKind::IndexOutOfBounds);
            return i;
        }
        // The index is used twice, so it must be a register that the comparison does not consume.
        let i = self.machine.in_register(Type::Usize, i);
        let outside = self.machine.compare_wide(
            Compare { op: if fault!(38) { Comparison::Gt } else { Comparison::Ge }, ty: Type::Usize },
            self.machine.borrowed(i),
            len,
        );
        self.machine.trap_if(outside, TrapKind::IndexOutOfBounds);
        i
    }

    /// The record behind a reference.
    #[inline]
    pub fn deref_record<Q: RecordRef>(&mut self, reference: Val<Q>) -> Place<Q::Record, Q::Access> {
        Place::behind(reference.into_operand())
    }

    /// `place.field`.
    #[inline]
    pub fn field<R: Record, F: Element, M>(
        &mut self,
        place: Place<R, M>,
        select: impl FnOnce(&R::Fields) -> Field<R, F>,
    ) -> Place<F, M> {
        // Records are at most 2 GiB long, and a place lies within its record.
        place.part(select(&R::FIELDS).offset() as i32)
    }

    /// The value of a place.
    #[inline]
    pub fn read<T: Scalar, M>(&mut self, place: Place<T, M>) -> Val<T> {
        Val::new(if place.is_pointer && place.operand.is_home_register() {
            place.operand.behind(place.disp)
        } else if place.is_captured {
            return self.read_captured(place);
        } else if place.is_pointer {
            self.machine.load_behind(T::TYPE, place.operand, place.disp)
        } else {
            let place = self.memory_operand(place);
            self.machine.load(T::TYPE, place)
        })
    }

    /// The value of a part of a captured slice, as a constant: 'C evaluates `$a[i]` in an unrolled loop, too.
    #[cold]
    #[inline(never)]
    #[allow(unsafe_code, reason = "reads what the function under construction keeps alive")]
    fn read_captured<T: Scalar, M>(&mut self, place: Place<T, M>) -> Val<T> {
        let address = place.operand.body as usize + place.disp as usize;
        // SAFETY: such a place lies within an element, known to be in bounds, of a slice that `lit_slice` made a constant of: its
        // memory holds a `T` there, does not change, and lives as long as this function.
        let value = unsafe { std::ptr::with_exposed_provenance::<T>(address).read() };
        self.lit(value)
    }

    /// `place = v`.
    #[inline]
    pub fn store<T: Scalar, M: Writable>(&mut self, place: Place<T, M>, v: Val<T>) {
        let place = self.memory_operand(place);
        self.machine.store(T::TYPE, place, v.into_operand());
    }

    fn store_op<T, M>(&mut self, op: BinaryOp, ty: Type, place: Place<T, M>, value: Operand) {
        let place = self.memory_operand(place);
        use super::fold::{Simpler, simplify};
        let (op, value) = match value.is_const().then(|| simplify(op, ty, value.body)) {
            Some(Simpler::Identity) => return self.machine.release(place),
            Some(Simpler::Constant(k)) => return self.machine.store(ty, place, Operand::constant(k)),
            Some(Simpler::Other(op, k)) => (op, Operand::constant(k)),
            Some(Simpler::Trap(trap)) => {
                self.machine.release(place);
                return self.machine.trap_if(Operand::constant(1), trap);
            }
            Some(Simpler::Same | Simpler::Unary(_)) | None => (op, value),
        };
        if value.is_const()
            && let Some(part) = super::ops::division_part(Binary { op, ty })
        {
            let old = self.machine.load(ty, self.machine.borrowed(place));
            let old = self.machine.pin(ty, old);
            let result = self.divide_constant(part, super::division::Rounding::Truncate, ty, old, value.body);
            return self.machine.store(ty, place, result);
        }
        self.machine.store_binary(Binary { op, ty }, place, value);
    }

    /// `&place`.
    pub fn ref_<R: Record, M>(&mut self, place: Place<R, M>) -> Val<Ref<R>> {
        let place = self.memory_operand(place);
        Val::new(self.machine.pointer(place))
    }

    /// `&mut place`.
    pub fn ref_mut<R: Record, M: Writable>(&mut self, place: Place<R, M>) -> Val<RefMut<R>> {
        let place = self.memory_operand(place);
        Val::new(self.machine.pointer(place))
    }

    /// `s.len()`.
    #[inline]
    pub fn len<S: Indexable>(&mut self, s: Val<S>) -> Val<usize> {
        Val::new(self.pair_homes(s.into_operand()).1)
    }

    /// `place.len()` of an array in a record.
    #[inline]
    pub fn array_len<X: Element, const N: usize, M>(&mut self, place: Place<[X; N], M>) -> Val<usize> {
        self.machine.release(place.operand);
        self.lit(N)
    }

    /// `s.is_empty()`.
    #[inline]
    pub fn is_empty<S: Indexable>(&mut self, s: Val<S>) -> Val<bool> {
        let len = self.pair_homes(s.into_operand()).1;
        Val::new(self.compare(Compare { op: Comparison::Eq, ty: Type::Usize }, len, Operand::constant(0)))
    }

    /// `*p`.
    ///
    /// # Safety
    /// The function compiled may run only while `p` may be dereferenced for the access that follows.
    #[inline]
    #[allow(unsafe_code, reason = "the user's own `unsafe` block stands around the call")]
    pub unsafe fn deref<P: Pointer>(&mut self, p: Val<P>) -> Place<P::Pointee, P::Access> {
        Place::behind(p.into_operand())
    }

    /// `*p.add(n)`.
    ///
    /// # Safety
    /// As [`Emitter::deref`].
    #[inline]
    #[allow(unsafe_code, reason = "the user's own `unsafe` block stands around the call")]
    pub unsafe fn deref_add<P: Pointer>(&mut self, p: Val<P>, n: Val<usize>) -> Place<P::Pointee, P::Access> {
        self.behind_offset(p, n.into_operand())
    }

    /// `*p.offset(n)`.
    ///
    /// # Safety
    /// As [`Emitter::deref`].
    #[inline]
    #[allow(unsafe_code, reason = "the user's own `unsafe` block stands around the call")]
    pub unsafe fn deref_offset<P: Pointer>(&mut self, p: Val<P>, n: Val<isize>) -> Place<P::Pointee, P::Access> {
        self.behind_offset(p, n.into_operand())
    }

    fn behind_offset<P: Pointer>(&mut self, p: Val<P>, n: Operand) -> Place<P::Pointee, P::Access> {
        let (p, size) = (p.into_operand(), size_of::<P::Pointee>());
        // So that every part of the pointee has a displacement of 31 bits, too.
        let last = i32::MAX as i64 - size.min(i32::MAX as usize) as i64;
        if n.is_const()
            && let Some(disp) = (n.body as i64).checked_mul(size as i64)
            && (i64::from(i32::MIN)..=last).contains(&disp)
        {
            return Place::<(), _>::behind(p).part(disp as i32);
        }
        Place::at(self.element_address(p, n, size))
    }

    /// The place behind `p as P`, where `place` is the one behind `p`.
    #[inline]
    pub fn place_as<T, M, P: Pointer>(&mut self, place: Place<T, M>) -> Place<P::Pointee, P::Access> {
        let size = size_of::<P::Pointee>().min(i32::MAX as usize);
        if place.disp > i32::MAX - size as i32 {
            // Every part of it must have a displacement of 31 bits.
            let place = self.memory_operand(place);
            return Place::behind(self.machine.pointer(place));
        }
        place.retyped()
    }

    fn offset<P: Pointer>(&mut self, p: Val<P>, n: Operand) -> Val<P> {
        let (p, size) = (p.into_operand(), size_of::<P::Pointee>());
        if matches!(size, 2 | 4 | 8) && !n.is_const() && !p.is_const() {
            // What memory operands can scale an instruction that computes their address can, too.
            let place = self.element_address(p, n, size);
            return Val::new(self.machine.pointer(place));
        }
        let bytes = self.binary(Binary { op: BinaryOp::Mul, ty: Type::Isize }, n, Operand::constant(size as u64));
        Val::new(self.binary(Binary { op: BinaryOp::Add, ty: Type::Ptr }, p, bytes))
    }

    /// `p.add(n)`.
    ///
    /// # Safety
    /// As for the method of Rust, whenever the function compiled runs.
    #[allow(unsafe_code, reason = "the user's own `unsafe` block stands around the call")]
    pub unsafe fn ptr_add<P: Pointer>(&mut self, p: Val<P>, n: Val<usize>) -> Val<P> {
        self.offset(p, n.into_operand())
    }

    /// `p.sub(n)`.
    ///
    /// # Safety
    /// As for the method of Rust, whenever the function compiled runs.
    #[allow(unsafe_code, reason = "the user's own `unsafe` block stands around the call")]
    pub unsafe fn ptr_sub<P: Pointer>(&mut self, p: Val<P>, n: Val<usize>) -> Val<P> {
        let n = self.unary(crate::machine::UnaryOp::Neg, Type::Isize, n.into_operand());
        self.offset(p, n)
    }

    /// `p.offset(n)`.
    ///
    /// # Safety
    /// As for the method of Rust, whenever the function compiled runs.
    #[allow(unsafe_code, reason = "the user's own `unsafe` block stands around the call")]
    pub unsafe fn ptr_offset<P: Pointer>(&mut self, p: Val<P>, n: Val<isize>) -> Val<P> {
        self.offset(p, n.into_operand())
    }
}

/// The element of a captured slice at a constant index within its bounds. A slice with a constant address is a captured one, part
/// of one, or empty.
#[inline(never)]
fn captured_element<X, M>(pointer: Operand, len: Operand, i: Operand) -> Option<Place<X, M>> {
    let known = i.is_const() && len.is_const() && i.body < len.body;
    let disp = known.then(|| (i.body as usize).checked_mul(size_of::<X>()).and_then(|d| i32::try_from(d).ok()))??;
    // So that every part of the element has a displacement of 31 bits, too.
    disp.checked_add(i32::try_from(size_of::<X>()).ok()?)?;
    Some(Place::captured(pointer, disp))
}

macro_rules! compound_stores {
    ($($name:ident $bound:ident $op:ident;)*) => {
        impl Emitter {$(
            /// Compound assignment of a place.
            #[inline]
            pub fn $name<T: $bound, M: Writable>(&mut self, place: Place<T, M>, v: Val<T>) {
                self.store_op(BinaryOp::$op, T::TYPE, place, v.into_operand());
            }
        )*}
    };
}
compound_stores! {
    store_add Number Add; store_sub Number Sub; store_mul Number Mul; store_div Number Div; store_rem Number Rem;
    store_bitand Bits And; store_bitor Bits Or; store_bitxor Bits Xor;
}
impl Emitter {
    /// `place <<= count`.
    pub fn store_shl<T: Int, S: Int, M: Writable>(&mut self, place: Place<T, M>, count: Val<S>) {
        let count = self.shift_count::<T, S>(count);
        self.store_op(BinaryOp::Shl, T::TYPE, place, count);
    }
    /// `place >>= count`.
    pub fn store_shr<T: Int, S: Int, M: Writable>(&mut self, place: Place<T, M>, count: Val<S>) {
        let count = self.shift_count::<T, S>(count);
        self.store_op(BinaryOp::Shr, T::TYPE, place, count);
    }
}
