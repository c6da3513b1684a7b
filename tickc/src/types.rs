//! The types of dynamic code: scalars, slices and references to records, and what rustc must know of each.
//!
//! Every trait here is sealed or meant to be implemented by `#[derive(Record)]` only; a [`Type`] is what is left of a Rust
//! type once rustc has checked a quotation.

use std::marker::PhantomData;

use crate::record::Record;

/// A scalar type of dynamic code as a value, the run-time counterpart of a [`Scalar`] type.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Type {
    /// `()`: no value.
    Unit,
    /// `bool`.
    Bool,
    /// `i8`.
    I8,
    /// `i16`.
    I16,
    /// `i32`.
    I32,
    /// `i64`.
    I64,
    /// `isize`.
    Isize,
    /// `u8`.
    U8,
    /// `u16`.
    U16,
    /// `u32`.
    U32,
    /// `u64`.
    U64,
    /// `usize`.
    Usize,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// A raw pointer or a reference to a record.
    Ptr,
}

impl Type {
    /// All types.
    pub(crate) const ALL: [Type; 15] = [
        Type::Unit,
        Type::Bool,
        Type::I8,
        Type::I16,
        Type::I32,
        Type::I64,
        Type::Isize,
        Type::U8,
        Type::U16,
        Type::U32,
        Type::U64,
        Type::Usize,
        Type::F32,
        Type::F64,
        Type::Ptr,
    ];

    /// Size of a value in bytes; 0 for [`Type::Unit`].
    #[inline]
    pub const fn size(self) -> u32 {
        match self {
            Type::Unit => 0,
            Type::Bool | Type::I8 | Type::U8 => 1,
            Type::I16 | Type::U16 => 2,
            Type::I32 | Type::U32 | Type::F32 => 4,
            Type::I64 | Type::Isize | Type::U64 | Type::Usize | Type::F64 | Type::Ptr => 8,
        }
    }

    /// Width of a value in bits.
    #[inline]
    pub const fn bits(self) -> u32 {
        self.size() * 8
    }

    /// Whether this is `f32` or `f64`.
    #[inline]
    pub const fn is_float(self) -> bool {
        matches!(self, Type::F32 | Type::F64)
    }

    /// Whether this is a signed integer.
    #[inline]
    pub const fn is_signed(self) -> bool {
        matches!(self, Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Isize)
    }

    /// Whether this is an integer or a pointer of 64 bits.
    #[inline(always)]
    pub(crate) const fn is_wide_int(self) -> bool {
        matches!(self, Type::I64 | Type::Isize | Type::U64 | Type::Usize | Type::Ptr)
    }

    /// Whether this is an unsigned integer.
    #[inline]
    pub(crate) const fn is_unsigned(self) -> bool {
        matches!(self, Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::Usize)
    }

    /// The bits of the smallest value of an integer type.
    pub(crate) const fn min_value(self) -> u64 {
        if self.is_signed() { self.canonical(1 << (self.bits() - 1)) } else { 0 }
    }

    /// The bits of the largest value of an integer type.
    pub(crate) const fn max_value(self) -> u64 {
        u64::MAX >> (64 - self.bits() + self.is_signed() as u32)
    }

    /// Brings `bits` into the canonical form of a constant of this type: truncated to its width, then sign-extended
    /// (signed integers) or zero-extended (all others) to 64 bits.
    #[inline]
    pub(crate) const fn canonical(self, bits: u64) -> u64 {
        match self {
            Type::Unit => 0,
            Type::Bool => bits & 1,
            Type::I8 => bits as i8 as u64,
            Type::I16 => bits as i16 as u64,
            Type::I32 => bits as i32 as u64,
            Type::U8 => bits as u8 as u64,
            Type::U16 => bits as u16 as u64,
            Type::U32 | Type::F32 => bits as u32 as u64,
            Type::I64 | Type::Isize | Type::U64 | Type::Usize | Type::F64 | Type::Ptr => bits,
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Type::Unit => "()",
            Type::Bool => "bool",
            Type::I8 => "i8",
            Type::I16 => "i16",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::Isize => "isize",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::Usize => "usize",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Ptr => "pointer",
        })
    }
}

/// How a [`DynamicType`] is held by dynamic code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Nothing: `()`.
    Unit,
    /// One scalar.
    Scalar(Type),
    /// Pointer and length: a slice.
    Pair,
}

pub(crate) mod sealed {
    /// Keeps the traits of this crate from being implemented outside.
    pub trait Sealed {}
    /// The same for [`Element`](super::Element), which records are too.
    pub trait SealedElement {}
}
use sealed::{Sealed, SealedElement};

/// What a `Code<T>` can yield and a `Var<T>` can hold: scalars, slices, references to records, and `()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a type of dynamic code",
    note = "dynamic code knows the scalar types, `Slice<X>`, `SliceMut<X>`, `Ref<R>`, `RefMut<R>` and `()`"
)]
pub trait DynamicType: Sealed + 'static {
    /// How the value is held.
    const SHAPE: Shape;
    /// Whether it refers to a record of a certain type, which a scalar of the same shape, a raw pointer, does not.
    #[doc(hidden)]
    const IS_REF: bool = false;
}

/// A scalar: `bool`, the integers, `f32`, `f64`, raw pointers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a scalar of dynamic code",
    note = "scalars are `bool`, `i8`…`i64`, `u8`…`u64`, `isize`, `usize`, `f32`, `f64` and raw pointers"
)]
pub trait Scalar: DynamicType + Copy {
    /// The type as a value.
    const TYPE: Type;
    /// The bits of the value in canonical form (see [`Type`]): sign- or zero-extended to 64 bits.
    fn to_bits(self) -> u64;
    /// The value whose low bits are `bits`.
    fn from_bits(bits: u64) -> Self;
}

/// Types with `+ - * / %`: integers and floats.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no arithmetic in dynamic code",
    note = "`+ - * / %` need an integer or a float on both sides"
)]
pub trait Number: Scalar {}

/// Numbers with a unary minus: signed integers and floats.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be negated in dynamic code")]
pub trait Signed: Number {}

/// The integers.
#[diagnostic::on_unimplemented(message = "`{Self}` is not an integer")]
pub trait Int: Number + Bits {}

/// `f32` and `f64`.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a float")]
pub trait Float: Number {}

/// Types with `& | ^ !`: integers and `bool`.
#[diagnostic::on_unimplemented(message = "`{Self}` has no bit operations in dynamic code")]
pub trait Bits: Scalar {}

/// Scalar types into which `S` may be cast with `as`.
#[diagnostic::on_unimplemented(message = "cannot cast `{S}` as `{Self}` in dynamic code")]
pub trait CastFrom<S>: Scalar {}

macro_rules! scalars {
    ($($t:ident $v:ident $($marker:ident)*;)*) => {$(
        impl Sealed for $t {}
        impl SealedElement for $t {}
        impl DynamicType for $t { const SHAPE: Shape = Shape::Scalar(Type::$v); }
        impl Element for $t { const SCALAR: Option<Type> = Some(Type::$v); }
        $(impl $marker for $t {})*
    )*};
}
macro_rules! integers {
    ($($t:ident $v:ident),*) => {$(
        impl Scalar for $t {
            const TYPE: Type = Type::$v;
            #[inline(always)]
            fn to_bits(self) -> u64 { self as u64 }
            #[inline(always)]
            fn from_bits(bits: u64) -> Self { bits as Self }
        }
    )*};
}
scalars! {
    bool Bool Bits;
    i8 I8 Number Signed Int Bits; i16 I16 Number Signed Int Bits; i32 I32 Number Signed Int Bits;
    i64 I64 Number Signed Int Bits; isize Isize Number Signed Int Bits;
    u8 U8 Number Int Bits; u16 U16 Number Int Bits; u32 U32 Number Int Bits;
    u64 U64 Number Int Bits; usize Usize Number Int Bits;
    f32 F32 Number Signed Float; f64 F64 Number Signed Float;
}
integers!(i8 I8, i16 I16, i32 I32, i64 I64, isize Isize, u8 U8, u16 U16, u32 U32, u64 U64, usize Usize);

impl Scalar for bool {
    const TYPE: Type = Type::Bool;
    #[inline(always)]
    fn to_bits(self) -> u64 {
        self as u64
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        bits & 1 != 0
    }
}
impl Scalar for f32 {
    const TYPE: Type = Type::F32;
    #[inline(always)]
    fn to_bits(self) -> u64 {
        u64::from(f32::to_bits(self))
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
}
impl Scalar for f64 {
    const TYPE: Type = Type::F64;
    #[inline(always)]
    fn to_bits(self) -> u64 {
        f64::to_bits(self)
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
}

/// Raw pointers: what `*p`, `p.add(n)` and `p.offset(n)` need to know of them.
pub trait Pointer: Scalar {
    /// What it points to.
    type Pointee;
    /// [`Shared`] for `*const X`, [`Exclusive`] for `*mut X`.
    type Access;
}
macro_rules! pointers {
    ($($mutability:ident $access:ident),*) => {$(
        impl<X: 'static> Sealed for *$mutability X {}
        impl<X: 'static> SealedElement for *$mutability X {}
        impl<X: 'static> DynamicType for *$mutability X { const SHAPE: Shape = Shape::Scalar(Type::Ptr); }
        impl<X: 'static> Element for *$mutability X { const SCALAR: Option<Type> = Some(Type::Ptr); }
        impl<X: 'static> Scalar for *$mutability X {
            const TYPE: Type = Type::Ptr;
            #[inline(always)]
            fn to_bits(self) -> u64 { self.expose_provenance() as u64 }
            #[inline(always)]
            fn from_bits(bits: u64) -> Self { std::ptr::with_exposed_provenance_mut::<X>(bits as usize) as Self }
        }
        impl<X: 'static> Pointer for *$mutability X {
            type Pointee = X;
            type Access = $access;
        }
    )*};
}
pointers!(const Shared, mut Exclusive);

macro_rules! casts {
    ($($from:ident => $($to:ident)*;)*) => {$($(impl CastFrom<$from> for $to {})*)*};
}
casts! {
    bool => bool i8 i16 i32 i64 isize u8 u16 u32 u64 usize;
    i8 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    i16 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    i32 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    i64 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    isize => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    u8 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    u16 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    u32 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    u64 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    usize => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    f32 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
    f64 => i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64;
}
macro_rules! pointer_casts {
    ($($t:ident)*) => {$(
        impl<X: 'static> CastFrom<*const X> for $t {}
        impl<X: 'static> CastFrom<*mut X> for $t {}
    )*};
}
pointer_casts!(usize isize u64 i64 u32 i32 u16 i16 u8 i8);
impl<X: 'static> CastFrom<usize> for *const X {}
impl<X: 'static> CastFrom<usize> for *mut X {}
impl<X: 'static, Y: 'static> CastFrom<*const X> for *const Y {}
impl<X: 'static, Y: 'static> CastFrom<*mut X> for *mut Y {}
impl<X: 'static, Y: 'static> CastFrom<*mut X> for *const Y {}
impl<X: 'static, Y: 'static> CastFrom<*const X> for *mut Y {}

/// What a slice, an array field or a record field may be made of: scalars, records, and arrays of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read by dynamic code",
    note = "fields and elements are scalars, `#[derive(Record)]` structs, and arrays of them"
)]
pub trait Element: SealedElement + Copy + 'static {
    /// The scalar type, when the element is one scalar.
    const SCALAR: Option<Type>;
}
impl<R: Record> SealedElement for R {}
impl<X: Element, const N: usize> SealedElement for [X; N] {}
impl<R: Record> Element for R {
    const SCALAR: Option<Type> = None;
}
impl<X: Element, const N: usize> Element for [X; N] {
    const SCALAR: Option<Type> = None;
}

/// Access through which a place may be read only.
#[derive(Debug)]
pub struct Shared;
/// Access through which a place may be read and written.
#[derive(Debug)]
pub struct Exclusive;

/// Access that permits writing.
#[diagnostic::on_unimplemented(
    message = "this place can only be read",
    label = "cannot be assigned",
    note = "writing needs a `SliceMut<X>`, a `RefMut<R>` or a `*mut X`"
)]
pub trait Writable {}
impl Writable for Exclusive {}

macro_rules! value_types {
    ($($(#[$doc:meta])* $name:ident<$x:ident: $bound:ident> $shape:expr;)*) => {$(
        $(#[$doc])*
        pub struct $name<$x: $bound>(PhantomData<fn() -> $x>);
        impl<$x: $bound> std::fmt::Debug for $name<$x> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(stringify!($name)) }
        }
        impl<$x: $bound> Sealed for $name<$x> {}
        impl<$x: $bound> DynamicType for $name<$x> {
            const SHAPE: Shape = $shape;
            const IS_REF: bool = matches!($shape, Shape::Scalar(_));
        }
    )*};
}
value_types! {
    /// A slice that dynamic code reads: the caller passes `&[X]`. Indexing is checked.
    Slice<X: Element> Shape::Pair;
    /// A slice that dynamic code reads and writes: the caller passes `&mut [X]`. Indexing is checked.
    SliceMut<X: Element> Shape::Pair;
    /// A record that dynamic code reads: the caller passes `&R`.
    Ref<R: Record> Shape::Scalar(Type::Ptr);
    /// A record that dynamic code reads and writes: the caller passes `&mut R`.
    RefMut<R: Record> Shape::Scalar(Type::Ptr);
}

impl Sealed for () {}
impl DynamicType for () {
    const SHAPE: Shape = Shape::Unit;
}

/// Slices of both kinds, as the base of an index.
#[diagnostic::on_unimplemented(message = "`{Self}` cannot be indexed", note = "only `Slice<X>` and `SliceMut<X>` can")]
pub trait Indexable: DynamicType {
    /// What an index yields.
    type Elem: Element;
    /// Whether elements may be written.
    type Access;
}
impl<X: Element> Indexable for Slice<X> {
    type Elem = X;
    type Access = Shared;
}
impl<X: Element> Indexable for SliceMut<X> {
    type Elem = X;
    type Access = Exclusive;
}

/// References to records of both kinds, as the base of a field access.
#[diagnostic::on_unimplemented(message = "`{Self}` has no fields", note = "only `Ref<R>` and `RefMut<R>` have")]
pub trait RecordRef: DynamicType {
    /// The record.
    type Record: Record;
    /// Whether fields may be written.
    type Access;
}
impl<R: Record> RecordRef for Ref<R> {
    type Record = R;
    type Access = Shared;
}
impl<R: Record> RecordRef for RefMut<R> {
    type Record = R;
    type Access = Exclusive;
}

/// Values that have a zero, so that a `Var::local()` of them can start at it: scalars (0, `false`, null) and slices (empty).
#[diagnostic::on_unimplemented(message = "a local of type `{Self}` has no zero to start at")]
pub trait Zero: DynamicType {}
impl<T: Scalar> Zero for T {}
impl<X: Element> Zero for Slice<X> {}
impl<X: Element> Zero for SliceMut<X> {}
