//! Values whose types are known only at run time.

use std::fmt;

use crate::error::Error;
use crate::signature::Return;
use crate::types::{Scalar, Type};

/// A value with its type: an argument or the result of a [`DynFunc`](crate::DynFunc), a constant of an
/// [`AnyCode`](crate::AnyCode).
///
/// Made by `from`, or by a variant; `TryFrom` gives the Rust value back.
///
/// ```
/// use tickc::{Type, Value};
///
/// let value = Value::from(-3i16);
/// assert_eq!((value, value.ty()), (Value::I16(-3), Type::I16));
/// assert_eq!(i16::try_from(value)?, -3);
/// assert_eq!(i64::try_from(value).unwrap_err().to_string(), "the value is of type i16, not i64");
/// # Ok::<(), tickc::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Value {
    /// `()`: the result of a function without one.
    #[default]
    Unit,
    /// A `bool`.
    Bool(bool),
    /// An `i8`.
    I8(i8),
    /// An `i16`.
    I16(i16),
    /// An `i32`.
    I32(i32),
    /// An `i64`.
    I64(i64),
    /// An `isize`.
    Isize(isize),
    /// A `u8`.
    U8(u8),
    /// A `u16`.
    U16(u16),
    /// A `u32`.
    U32(u32),
    /// A `u64`.
    U64(u64),
    /// A `usize`.
    Usize(usize),
    /// An `f32`.
    F32(f32),
    /// An `f64`.
    F64(f64),
    /// The address of a raw pointer, its provenance exposed.
    Ptr(usize),
}

macro_rules! values {
    ($($t:ident $v:ident)*) => {
        impl Value {
            /// The type of the value.
            pub const fn ty(self) -> Type {
                match self {
                    Value::Unit => Type::Unit,
                    $(Value::$v(_) => Type::$v,)*
                    Value::Ptr(_) => Type::Ptr,
                }
            }

            /// The bits of the value in canonical form: sign- or zero-extended to 64 bits.
            pub(super) fn to_bits(self) -> u64 {
                match self {
                    Value::Unit => 0,
                    $(Value::$v(x) => Scalar::to_bits(x),)*
                    Value::Ptr(address) => address as u64,
                }
            }

            /// The value of type `ty` whose low bits are `bits`.
            pub(super) fn from_bits(ty: Type, bits: u64) -> Value {
                match ty {
                    Type::Unit => Value::Unit,
                    $(Type::$v => Value::$v(Scalar::from_bits(bits)),)*
                    Type::Ptr => Value::Ptr(bits as usize),
                }
            }
        }

        impl fmt::Display for Value {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Value::Unit => f.write_str("()"),
                    $(Value::$v(x) => x.fmt(f),)*
                    Value::Ptr(address) => write!(f, "{address:#x}"),
                }
            }
        }

        $(
            impl From<$t> for Value {
                fn from(x: $t) -> Value {
                    Value::$v(x)
                }
            }
            impl TryFrom<Value> for $t {
                type Error = Error;
                fn try_from(value: Value) -> Result<$t, Error> {
                    take(value)
                }
            }
        )*
    };
}
values! {
    bool Bool i8 I8 i16 I16 i32 I32 i64 I64 isize Isize u8 U8 u16 U16 u32 U32 u64 U64 usize Usize f32 F32 f64 F64
}

macro_rules! pointers {
    ($($mutability:ident)*) => {$(
        impl<X: 'static> From<*$mutability X> for Value {
            fn from(pointer: *$mutability X) -> Value {
                Value::Ptr(pointer.expose_provenance())
            }
        }
        impl<X: 'static> TryFrom<Value> for *$mutability X {
            type Error = Error;
            fn try_from(value: Value) -> Result<*$mutability X, Error> {
                take(value)
            }
        }
    )*};
}
pointers!(const mut);

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::Unit
    }
}

/// The Rust value of type `T`.
fn take<T: Scalar + Return>(value: Value) -> Result<T, Error> {
    if value.ty() != <T as Scalar>::TYPE {
        return Err(Error::WrongType { what: "value", expected: <T as Scalar>::TYPE, found: value.ty() });
    }
    Ok(T::from_bits(value.to_bits()))
}
