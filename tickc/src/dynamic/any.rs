//! Variables and fragments whose types are known only at run time.

use std::fmt;
use std::marker::PhantomData;

use super::Value;
use crate::emit::{Emitter, OfThisThread, Val, Var};
use crate::error::Error;
use crate::fragment::{Borrows, Code, Handle, flags, quote};
use crate::machine::Operand;
use crate::signature::Return;
use crate::types::{Scalar, Type};

/// A dynamic variable of a scalar type known only at run time: a parameter of
/// [`Jit::compile_dyn`](crate::Jit::compile_dyn), or a [`Var<T>`](Var) whose type is forgotten.
///
/// [`AnyVar::typed`] makes a `Var<T>` of it again, which quotations can read and assign.
///
/// ```
/// use tickc::prelude::*;
/// use tickc::{Type, Value};
///
/// let double = Jit::new()?.compile_dyn(&[Type::U8], Type::U8, |params| {
///     let x = params[0].typed::<u8>().expect("the parameter is a u8");
///     tick!({ @x *= 2; @x }).into()
/// })?;
/// assert_eq!(double.call(&[Value::U8(21)])?, Value::U8(42));
/// # Ok::<(), tickc::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct AnyVar {
    /// As in [`Var`].
    bits: u64,
    ty: Type,
    thread: OfThisThread,
}

impl fmt::Debug for AnyVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyVar({})", self.ty)
    }
}

impl AnyVar {
    pub(super) fn new(function: u64, index: u32, ty: Type) -> AnyVar {
        AnyVar { bits: Var::<()>::new(function, index).bits(), ty, thread: PhantomData }
    }

    /// The type of the variable.
    pub fn ty(self) -> Type {
        self.ty
    }

    /// The variable as one of type `T`; any pointer will do for a pointer.
    ///
    /// # Errors
    /// [`Error::WrongType`] when it is of another type.
    pub fn typed<T: Scalar>(self) -> Result<Var<T>, Error> {
        if self.ty != T::TYPE {
            return Err(Error::WrongType { what: "variable", expected: T::TYPE, found: self.ty });
        }
        Ok(Var::from_bits(self.bits))
    }

    /// The variable's value.
    pub fn code(self) -> AnyCode<'static> {
        macro_rules! of_type {
            ($($v:ident $t:ty),*) => {
                match self.ty {
                    Type::Unit => Code::<()>::from_handle(constant(Operand::UNIT)).into(),
                    $(Type::$v => {
                        let v = Var::<$t>::from_bits(self.bits);
                        quote((), flags::NONE, move |e: &mut Emitter, (): &()| e.get(v)).into()
                    })*
                }
            };
        }
        of_type!(
            Bool bool, I8 i8, I16 i16, I32 i32, I64 i64, Isize isize, U8 u8, U16 u16, U32 u32, U64 u64, Usize usize, F32 f32,
            F64 f64, Ptr *const ()
        )
    }
}

impl<T: Scalar> From<Var<T>> for AnyVar {
    fn from(v: Var<T>) -> AnyVar {
        AnyVar { bits: v.bits(), ty: T::TYPE, thread: PhantomData }
    }
}

/// A fragment of dynamic code that yields a scalar (or nothing) of a type known only at run time.
///
/// It is made from a [`Code<T>`](Code), a variable, or a constant ([`Value`]); [`AnyCode::typed`] makes a `Code<T>` of it again,
/// which quotations can splice.
///
/// ```
/// use tickc::prelude::*;
/// use tickc::{AnyCode, AnyVar, Type};
///
/// /// Twice a number of any type.
/// fn twice(x: &AnyVar) -> Result<AnyCode<'static>, Error> {
///     Ok(match x.ty() {
///         Type::I64 => { let x = x.typed::<i64>()?; tick!(@x + @x).into() }
///         Type::F64 => { let x = x.typed::<f64>()?; tick!(@x + @x).into() }
///         other => return Err(format!("no twice of {other}").into()),
///     })
/// }
/// let code = twice(&Var::<f64>::local().into())?;
/// assert_eq!(code.ty(), Type::F64);
/// assert_eq!(code.typed::<i64>().unwrap_err().to_string(), "the code is of type f64, not i64");
/// # Ok::<(), tickc::Error>(())
/// ```
#[must_use = "a fragment does nothing until it is spliced into a function that is compiled"]
pub struct AnyCode<'a> {
    pub(super) handle: Handle,
    ty: Type,
    borrows: Borrows<'a>,
    thread: OfThisThread,
}

impl Clone for AnyCode<'_> {
    fn clone(&self) -> Self {
        AnyCode::of(self.handle.clone(), self.ty)
    }
}

impl fmt::Debug for AnyCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyCode({})", self.ty)
    }
}

impl<'a> AnyCode<'a> {
    /// The fragment, which is known to yield a `ty`.
    pub(super) fn of(handle: Handle, ty: Type) -> AnyCode<'a> {
        AnyCode { handle, ty, borrows: PhantomData, thread: PhantomData }
    }

    /// The type of what it yields.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// The fragment as one that yields a `T`; any pointer will do for a pointer.
    ///
    /// # Errors
    /// [`Error::WrongType`] when it yields something else.
    pub fn typed<T: Return>(self) -> Result<Code<'a, T>, Error> {
        if self.ty != T::TYPE {
            return Err(Error::WrongType { what: "code", expected: T::TYPE, found: self.ty });
        }
        Ok(Code::from_handle(self.handle))
    }
}

impl<'a, T: Return> From<Code<'a, T>> for AnyCode<'a> {
    fn from(code: Code<'a, T>) -> AnyCode<'a> {
        AnyCode::of(code.into_handle(), T::TYPE)
    }
}
impl<'a, T: Return> From<&Code<'a, T>> for AnyCode<'a> {
    fn from(code: &Code<'a, T>) -> AnyCode<'a> {
        code.clone().into()
    }
}
impl<T: Scalar> From<Var<T>> for AnyCode<'static> {
    fn from(v: Var<T>) -> AnyCode<'static> {
        AnyVar::from(v).code()
    }
}
impl From<AnyVar> for AnyCode<'static> {
    fn from(v: AnyVar) -> AnyCode<'static> {
        v.code()
    }
}
impl From<Value> for AnyCode<'static> {
    fn from(value: Value) -> AnyCode<'static> {
        let operand = match value {
            Value::Unit => Operand::UNIT,
            _ => Operand::constant(value.to_bits()),
        };
        AnyCode::of(constant(operand), value.ty())
    }
}

/// A fragment that yields a constant, whose type is the caller's affair.
fn constant(operand: Operand) -> Handle {
    quote((), flags::NONE, move |_: &mut Emitter, (): &()| Val::<()>::new(operand)).into_handle()
}
