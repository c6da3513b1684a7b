//! Calls whose arguments are known only at run time: [`DynCall`].

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::rc::Rc;

use super::{AnyCode, AnyVar, Described, DynFunc, MAX_PARAMS, Value};
use crate::emit::{Callable, Emitter, OfThisThread, Val, Var};
use crate::error::Error;
use crate::fragment::{Borrows, Code, Handle, flags, quote};
use crate::machine::{Operand, Target};
use crate::signature::Return;
use crate::types::{DynamicType, Shape, Type};

/// A call in dynamic code, built argument by argument, where their number and types are known only at run time. 'C's
/// `push_init`, `push`.
///
/// What is called is a [`Func`](crate::Func), a [`HostFn`](crate::HostFn), a [`DynFunc`], or an `extern "C"` function pointer.
/// Arguments are fragments, variables and constants, evaluated in order. `compile` checks them against the signature.
///
/// ```
/// use tickc::prelude::*;
/// use tickc::{DynCall, Value};
///
/// extern "C" fn area(width: u32, height: f64) -> f64 { f64::from(width) * height }
///
/// let jit = Jit::new()?;
/// let f = jit.compile(tick!(|w: u32| -> f64 {
///     @({
///         let mut call = DynCall::new(&(area as extern "C" fn(u32, f64) -> f64));
///         call.arg(w).arg(Value::F64(2.5));
///         call.code::<f64>()
///     })
/// }))?;
/// assert_eq!(f.call(4), 10.0);
///
/// let mut wrong = DynCall::new(&f);
/// wrong.arg(Value::I64(4));
/// let error = jit.compile(tick!(|| -> f64 { @(wrong.code()) })).unwrap_err();
/// assert!(error.to_string().ends_with("is of type i64, but the function takes u32"));
/// # Ok::<(), tickc::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a call does nothing until its code is spliced into a function that is compiled"]
pub struct DynCall<'a> {
    callee: Callee,
    args: Vec<Argument<'a>>,
    /// Where the call was begun.
    place: &'static Location<'static>,
    thread: OfThisThread,
}

/// What is called.
#[derive(Clone)]
struct Callee {
    /// The target, kept alive by the function under construction.
    target: Rc<dyn Fn(&mut Emitter) -> Target>,
    params: Cow<'static, [Described]>,
    ret: Type,
}

/// An argument of a [`DynCall`].
#[doc(hidden)]
#[derive(Clone)]
pub struct Argument<'a> {
    handle: Handle,
    ty: Described,
    place: &'static Location<'static>,
    borrows: Borrows<'a>,
}

impl fmt::Debug for DynCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args: Vec<_> = self.args.iter().map(|arg| arg.ty).collect();
        write!(f, "DynCall({args:?} for {:?} -> {})", self.callee.params, self.callee.ret)
    }
}

impl<'a> DynCall<'a> {
    /// Begins a call of `callee`.
    #[track_caller]
    pub fn new<C: DynCallee>(callee: &C) -> DynCall<'a> {
        DynCall::of(callee.callee())
    }

    /// Begins a call of the C function at an address, with a signature known only at run time.
    ///
    /// # Safety
    /// Whenever the dynamic code calls it, there is an `extern "C"` function at `address` that takes `params` and returns `ret`,
    /// and it is sound to call with whatever arguments the dynamic code passes.
    #[track_caller]
    #[allow(unsafe_code, reason = "the call itself is what is unsafe")]
    pub unsafe fn from_pointer(address: *const (), params: &[Type], ret: Type) -> DynCall<'a> {
        let address = address.expose_provenance() as u64;
        DynCall::of(Callee {
            target: Rc::new(move |_| Target::Native(address)),
            params: params.iter().map(|&ty| Described::scalar(ty)).collect(),
            ret,
        })
    }

    #[track_caller]
    fn of(callee: Callee) -> DynCall<'a> {
        let args = Vec::with_capacity(callee.params.len());
        DynCall { callee, args, place: Location::caller(), thread: PhantomData }
    }

    /// Adds an argument: a [`Code<T>`](Code), a [`Var<T>`](Var), an [`AnyCode`], an [`AnyVar`] or a [`Value`].
    #[track_caller]
    pub fn arg(&mut self, argument: impl IntoArgument<'a>) -> &mut Self {
        self.args.push(Argument { place: Location::caller(), ..argument.into_argument() });
        self
    }

    /// The type of the result.
    pub fn ret(&self) -> Type {
        self.callee.ret
    }

    /// The call as a fragment that yields the result, a `T`. Arguments added later are not part of it.
    ///
    /// `compile` returns an [`Error`] if their number or types are not those of the signature, or `T` is not its result.
    pub fn code<T: Return>(&self) -> Code<'a, T> {
        Code::from_handle(self.fragment(T::TYPE))
    }

    /// The call as a fragment of the type that the result has. As [`DynCall::code`].
    pub fn any(&self) -> AnyCode<'a> {
        AnyCode::of(self.fragment(self.ret()), self.ret())
    }

    /// The call as a fragment that yields a `ret`.
    fn fragment(&self, ret: Type) -> Handle {
        let call = self.clone();
        let known = self.args.iter().fold(flags::CALLS | flags::EFFECTS, |known, arg| known | arg.handle.known());
        let body = move |e: &mut Emitter, (): &()| {
            let operand = match call.verify(ret) {
                Ok(()) => call.emit(e),
                Err(error) => {
                    e.set_error(error);
                    e.poison_of(Described::scalar(ret).shape())
                }
            };
            // Fragments are untyped once they are made; the type is that of the handle.
            Val::<()>::new(operand)
        };
        quote((), known, body).into_handle()
    }

    fn verify(&self, ret: Type) -> Result<(), Error> {
        verify_arguments(&self.callee.params, self.args.iter().map(|arg| (arg.ty, arg.place)), self.place)?;
        if ret != self.callee.ret {
            return Err(Error::ResultType { place: self.place, expected: ret, found: self.callee.ret });
        }
        Ok(())
    }

    fn emit(&self, e: &mut Emitter) -> Operand {
        // Values are lazy: those before an argument with effects are read before it.
        let last = self.args.iter().rposition(|arg| arg.handle.has_effects()).unwrap_or(0);
        let mut operands = Vec::with_capacity(self.args.len());
        let mut pairs = 0;
        for (i, arg) in self.args.iter().enumerate() {
            let shape = arg.ty.shape();
            let value = arg.handle.instantiate(e, shape, true);
            let value = e.keep_value(shape, value, i < last);
            match shape {
                Shape::Unit => {}
                Shape::Scalar(ty) => operands.push((ty, value)),
                Shape::Pair => {
                    let (pointer, len) = e.pair_homes(value);
                    // Signatures with slices have at most 24 words.
                    pairs |= 1u32 << operands.len();
                    operands.extend([(Type::Ptr, pointer), (Type::Usize, len)]);
                }
            }
        }
        let target = (self.callee.target)(e);
        e.machine.call(target, &operands, pairs, self.callee.ret)
    }
}

/// Checks the arguments of a call against the parameters.
pub(super) fn verify_arguments(
    params: &[Described],
    args: impl ExactSizeIterator<Item = (Described, &'static Location<'static>)>,
    place: &'static Location<'static>,
) -> Result<(), Error> {
    if params.len() > MAX_PARAMS {
        return Err(Error::TooManyParameters { found: params.len(), limit: MAX_PARAMS });
    }
    if let Some(k) = params.iter().position(|param| param.shape() == Shape::Unit) {
        return Err(Error::UnitParameter { number: k + 1 });
    }
    if params.len() != args.len() {
        return Err(Error::ArgumentCount { place, expected: params.len(), found: args.len() });
    }
    for (k, (param, (arg, place))) in params.iter().zip(args).enumerate() {
        if arg != *param {
            let (expected, found) = (param.to_string(), arg.to_string());
            return Err(Error::ArgumentType { number: k + 1, place, expected, found });
        }
    }
    Ok(())
}

/// What a [`DynCall`] can call: a [`Func`](crate::Func), a [`HostFn`](crate::HostFn), a [`DynFunc`], an `extern "C"` function
/// pointer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called by a `DynCall`",
    note = "a `DynCall` calls `Func`s, `HostFn`s, `DynFunc`s and `extern \"C\"` function pointers (`f as extern \"C\" fn(A) -> R`)"
)]
pub trait DynCallee: private::Callee {}
impl<C: Callable + Clone + 'static> DynCallee for C {}
impl DynCallee for DynFunc {}

mod private {
    /// The part of [`super::DynCallee`] that only this module may call.
    pub trait Callee {
        #[expect(private_interfaces, reason = "only this module calls it")]
        fn callee(&self) -> super::Callee;
    }
}
impl<C: Callable + Clone + 'static> private::Callee for C {
    #[expect(private_interfaces, reason = "only this module calls it")]
    fn callee(&self) -> Callee {
        let callable = self.clone();
        Callee {
            target: Rc::new(move |e| callable.target(e)),
            params: Cow::Borrowed(C::PARAMS),
            ret: <C::Ret as Return>::TYPE,
        }
    }
}
impl private::Callee for DynFunc {
    #[expect(private_interfaces, reason = "only this module calls it")]
    fn callee(&self) -> Callee {
        let function = self.clone();
        Callee {
            params: self.params().iter().map(|&ty| Described::scalar(ty)).collect(),
            ret: self.ret(),
            target: Rc::new(move |e| function.target_in(e)),
        }
    }
}

/// What can be an argument of a [`DynCall`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of dynamic code",
    note = "arguments are `Code<T>`, `Var<T>`, `AnyCode`, `AnyVar` and `Value`; make a constant with `Value::from(x)`"
)]
pub trait IntoArgument<'a> {
    /// The argument.
    #[doc(hidden)]
    fn into_argument(self) -> Argument<'a>;
}

impl<'a> Argument<'a> {
    fn new(handle: Handle, ty: Described) -> Argument<'a> {
        Argument { handle, ty, place: Location::caller(), borrows: PhantomData }
    }
}

impl<'a, T: DynamicType> IntoArgument<'a> for Code<'a, T> {
    fn into_argument(self) -> Argument<'a> {
        Argument::new(self.into_handle(), Described::of::<T>())
    }
}
impl<'a, T: DynamicType> IntoArgument<'a> for Var<T> {
    fn into_argument(self) -> Argument<'a> {
        quote((), flags::NONE, move |e: &mut Emitter, (): &()| e.get(self)).into_argument()
    }
}
impl<'a> IntoArgument<'a> for AnyCode<'a> {
    fn into_argument(self) -> Argument<'a> {
        let ty = Described::scalar(self.ty());
        Argument::new(self.handle, ty)
    }
}
impl<'a> IntoArgument<'a> for AnyVar {
    fn into_argument(self) -> Argument<'a> {
        self.code().into_argument()
    }
}
impl<'a> IntoArgument<'a> for Value {
    fn into_argument(self) -> Argument<'a> {
        AnyCode::from(self).into_argument()
    }
}
macro_rules! by_reference {
    ($({$($generics:tt)*} $t:ty),*) => {$(
        impl<'a, $($generics)*> IntoArgument<'a> for &$t {
            fn into_argument(self) -> Argument<'a> {
                self.clone().into_argument()
            }
        }
    )*};
}
by_reference!({T: DynamicType} Code<'a, T>, {T: DynamicType} Var<T>, {} AnyCode<'a>, {} AnyVar, {} Value);
