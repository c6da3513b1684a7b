//! Signatures of dynamic functions: what `fn(A, …) -> R` means to the compiler and to the caller.

use crate::dynamic::Described;
use crate::record::Record;
use crate::types::sealed::Sealed;
use crate::types::{DynamicType, Element, Ref, RefMut, Scalar, Shape, Slice, SliceMut, Type};

/// The signature of a dynamic function: implemented by `fn(A, …) -> R` for up to 12 parameters.
///
/// A parameter is a scalar, a slice ([`Slice`], [`SliceMut`]) or a reference to a record ([`Ref`], [`RefMut`]); the result
/// is a scalar or `()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the signature of a dynamic function",
    note = "signatures are written `fn(A, B) -> R`, with up to 12 parameters; results are scalars or `()`"
)]
pub trait Signature: Sealed + 'static {
    /// The parameters, as scalars.
    #[doc(hidden)]
    const FLAT: &'static Flat;
    /// The parameters.
    #[doc(hidden)]
    const PARAMS: &'static [Described];
    /// Type of the result.
    #[doc(hidden)]
    const RET: Type;
}

/// Parameters as the machine sees them: a slice is a pointer and a length.
#[doc(hidden)]
#[derive(Debug)]
pub struct Flat {
    types: [Type; 24],
    len: usize,
    /// Bit k: scalar k is the pointer of a slice.
    pub(crate) pairs: u32,
}

impl Flat {
    const fn new(shapes: &[Shape]) -> Flat {
        let mut flat = Flat { types: [Type::Unit; 24], len: 0, pairs: 0 };
        let mut i = 0;
        while i < shapes.len() {
            match shapes[i] {
                Shape::Unit => {}
                Shape::Scalar(ty) => {
                    flat.types[flat.len] = ty;
                    flat.len += 1;
                }
                Shape::Pair => {
                    flat.pairs |= 1 << flat.len;
                    flat.types[flat.len] = Type::Ptr;
                    flat.types[flat.len + 1] = Type::Usize;
                    flat.len += 2;
                }
            }
            i += 1;
        }
        flat
    }

    /// Types of the scalars.
    #[inline]
    pub(crate) const fn types(&self) -> &[Type] {
        self.types.split_at(self.len).0
    }
}

/// What a parameter of a dynamic function may be.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of a dynamic function",
    note = "parameters are scalars, `Slice<X>`, `SliceMut<X>`, `Ref<R>` and `RefMut<R>`"
)]
pub trait Param: DynamicType {
    /// What the caller passes.
    type Arg<'x>;
    /// How it is passed, by the rules of C.
    #[doc(hidden)]
    type Abi: Copy;
    /// Argument to what is passed.
    #[doc(hidden)]
    fn into_abi(arg: Self::Arg<'_>) -> Self::Abi;
    /// What is passed to what the interpreter takes.
    #[doc(hidden)]
    fn push_words(arg: Self::Abi, to: &mut Words);
}

/// Arguments as the interpreter takes them: canonical words, a slice as pointer and length.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Words {
    words: [u64; 24],
    len: usize,
}

impl Words {
    #[inline]
    fn push(&mut self, word: u64) {
        self.words[self.len] = word;
        self.len += 1;
    }

    /// The words pushed so far.
    #[inline]
    pub(crate) fn get(&self) -> &[u64] {
        &self.words[..self.len]
    }
}

impl<T: Scalar> Param for T {
    type Arg<'x> = T;
    type Abi = T;
    #[inline(always)]
    fn into_abi(arg: T) -> T {
        arg
    }
    #[inline(always)]
    fn push_words(arg: T, to: &mut Words) {
        to.push(arg.to_bits());
    }
}

/// A slice as C sees it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RawSlice {
    pub(crate) pointer: *const (),
    pub(crate) len: usize,
}

impl RawSlice {
    fn push_words(self, to: &mut Words) {
        to.push(self.pointer.to_bits());
        to.push(self.len as u64);
    }
}

impl<X: Element> Param for Slice<X> {
    type Arg<'x> = &'x [X];
    type Abi = RawSlice;
    #[inline(always)]
    fn into_abi(arg: &[X]) -> RawSlice {
        RawSlice { pointer: arg.as_ptr().cast(), len: arg.len() }
    }
    #[inline(always)]
    fn push_words(arg: RawSlice, to: &mut Words) {
        arg.push_words(to);
    }
}
impl<X: Element> Param for SliceMut<X> {
    type Arg<'x> = &'x mut [X];
    type Abi = RawSlice;
    #[inline(always)]
    fn into_abi(arg: &mut [X]) -> RawSlice {
        RawSlice { len: arg.len(), pointer: arg.as_mut_ptr().cast_const().cast() }
    }
    #[inline(always)]
    fn push_words(arg: RawSlice, to: &mut Words) {
        arg.push_words(to);
    }
}
impl<R: Record> Param for Ref<R> {
    type Arg<'x> = &'x R;
    type Abi = *const R;
    #[inline(always)]
    fn into_abi(arg: &R) -> *const R {
        arg
    }
    #[inline(always)]
    fn push_words(arg: *const R, to: &mut Words) {
        to.push(arg.to_bits());
    }
}
impl<R: Record> Param for RefMut<R> {
    type Arg<'x> = &'x mut R;
    type Abi = *mut R;
    #[inline(always)]
    fn into_abi(arg: &mut R) -> *mut R {
        arg
    }
    #[inline(always)]
    fn push_words(arg: *mut R, to: &mut Words) {
        to.push(arg.to_bits());
    }
}

/// What a dynamic function may return: a scalar or `()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a dynamic function",
    note = "results are scalars and `()`"
)]
pub trait Return: DynamicType {
    /// Its type.
    #[doc(hidden)]
    const TYPE: Type;
    /// The register class that it comes back in, beside a status: `u64` or `f64`.
    #[doc(hidden)]
    type Word: Word;
    /// The value in the register.
    #[doc(hidden)]
    fn from_word(word: Self::Word) -> Self;
    /// The value with these canonical bits.
    #[doc(hidden)]
    fn from_canonical(bits: u64) -> Self;
    /// The register with the value.
    #[doc(hidden)]
    fn into_word(self) -> Self::Word;
}

/// A register with a value in it.
#[doc(hidden)]
pub trait Word: Copy + Default {
    /// The canonical bits of the value.
    fn bits(self) -> u64;
}
impl Word for u64 {
    #[inline(always)]
    fn bits(self) -> u64 {
        self
    }
}
impl Word for f64 {
    #[inline(always)]
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

macro_rules! integer_returns {
    ($($t:ty),*) => {$(
        impl Return for $t {
            const TYPE: Type = <$t as Scalar>::TYPE;
            type Word = u64;
            #[inline(always)]
            fn from_word(word: u64) -> Self { Scalar::from_bits(word) }
            #[inline(always)]
            fn into_word(self) -> u64 { Scalar::to_bits(self) }
            #[inline(always)]
            fn from_canonical(bits: u64) -> Self { Scalar::from_bits(bits) }
        }
    )*};
}
integer_returns!(bool, i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);
macro_rules! pointer_returns {
    ($($mutability:ident)*) => {$(
        impl<X: 'static> Return for *$mutability X {
            const TYPE: Type = Type::Ptr;
            type Word = u64;
            #[inline(always)]
            fn from_word(word: u64) -> Self { Scalar::from_bits(word) }
            #[inline(always)]
            fn into_word(self) -> u64 { Scalar::to_bits(self) }
            #[inline(always)]
            fn from_canonical(bits: u64) -> Self { Scalar::from_bits(bits) }
        }
    )*};
}
pointer_returns!(const mut);
impl Return for f32 {
    const TYPE: Type = Type::F32;
    type Word = f64;
    #[inline(always)]
    fn from_word(word: f64) -> Self {
        f32::from_bits(word.to_bits() as u32)
    }
    #[inline(always)]
    fn into_word(self) -> f64 {
        f64::from_bits(u64::from(f32::to_bits(self)))
    }
    #[inline(always)]
    fn from_canonical(bits: u64) -> Self {
        Scalar::from_bits(bits)
    }
}
impl Return for f64 {
    const TYPE: Type = Type::F64;
    type Word = f64;
    #[inline(always)]
    fn from_word(word: f64) -> Self {
        word
    }
    #[inline(always)]
    fn into_word(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_canonical(bits: u64) -> Self {
        Scalar::from_bits(bits)
    }
}
impl Return for () {
    const TYPE: Type = Type::Unit;
    type Word = u64;
    #[inline(always)]
    fn from_word(_: u64) -> Self {}
    #[inline(always)]
    fn into_word(self) -> u64 {
        0
    }
    #[inline(always)]
    fn from_canonical(_: u64) -> Self {}
}

/// The parameters of a quoted function as a tuple.
#[doc(hidden)]
pub trait ParamList: 'static {
    /// The signature with result `R`.
    type Fn<R: DynamicType>;
    /// The parameters, as scalars.
    const FLAT: &'static Flat;
    /// The parameters.
    const PARAMS: &'static [Described];
}

macro_rules! arities {
    ($($($p:ident)*;)*) => {$(
        impl<$($p: Param,)*> ParamList for ($($p,)*) {
            type Fn<R: DynamicType> = fn($($p),*) -> R;
            const FLAT: &'static Flat = &const { Flat::new(&[$($p::SHAPE),*]) };
            const PARAMS: &'static [Described] = &[$(Described::of::<$p>()),*];
        }
        impl<$($p: Param,)* R: Return> Sealed for fn($($p),*) -> R {}
        impl<$($p: Param,)* R: Return> Signature for fn($($p),*) -> R {
            const FLAT: &'static Flat = <($($p,)*) as ParamList>::FLAT;
            const PARAMS: &'static [Described] = <($($p,)*) as ParamList>::PARAMS;
            const RET: Type = R::TYPE;
        }
    )*};
}
arities! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}
