//! Functions whose signatures are known only at run time: [`DynFunc`].

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

use super::call::verify_arguments;
use super::{Described, Value};
use crate::emit::{Emitter, Val};
use crate::error::Error;
use crate::fragment::{flags, staged};
use crate::func::Func;
use crate::jit::{Jit, Stats, Tier};
use crate::machine::Target;
use crate::signature::Signature;
use crate::trap::Trap;
use crate::types::Type;

/// A signature that nobody knows at compile time.
pub(crate) struct Untyped;

/// A function that passes arguments from memory, and leaves the result in the first word.
type Caller = fn(*mut u64);

/// A compiled function whose signature is known only at run time: made by [`Jit::compile_dyn`]. `Clone + Send + Sync`, like a
/// [`Func`].
///
/// [`DynFunc::call`] checks number and types of the arguments; [`DynFunc::typed`] checks them once and for all;
/// [`DynCall`](crate::DynCall) calls it from dynamic code.
#[derive(Clone)]
pub struct DynFunc(Arc<Inner>);

struct Inner {
    function: Func<Untyped>,
    params: Box<[Type]>,
    ret: Type,
    /// Compiled at the first call with [`Value`]s.
    caller: OnceLock<Func<Caller>>,
}

impl fmt::Debug for DynFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DynFunc<{}>({:?})", Prototype(self.params(), self.ret()), self.tier())
    }
}

/// Whether both are the same compiled function.
impl PartialEq for DynFunc {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
impl Eq for DynFunc {}

/// `fn(A, B) -> R`
pub(crate) struct Prototype<'a>(pub(crate) &'a [Type], pub(crate) Type);

impl fmt::Display for Prototype<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params: Vec<_> = self.0.iter().map(Type::to_string).collect();
        write!(f, "fn({}) -> {}", params.join(", "), self.1)
    }
}

impl DynFunc {
    /// `function` takes `params` and returns `ret`.
    pub(crate) fn new(function: Func<Untyped>, params: &[Type], ret: Type) -> DynFunc {
        DynFunc(Arc::new(Inner { function, params: params.into(), ret, caller: OnceLock::new() }))
    }

    /// The types of the parameters.
    pub fn params(&self) -> &[Type] {
        &self.0.params
    }

    /// The type of the result.
    pub fn ret(&self) -> Type {
        self.0.ret
    }

    /// Calls the function.
    ///
    /// The first call compiles the code that passes arguments from memory; the others cost about as much as a call, a load and a
    /// store per argument.
    ///
    /// # Errors
    /// [`Error::ArgumentCount`] and [`Error::ArgumentType`] when the arguments are not those of the signature,
    /// [`Error::Trapped`] when the call ends in a trap, and what [`Jit::compile`] returns, at the first call.
    #[track_caller]
    pub fn call(&self, args: &[Value]) -> Result<Value, Error> {
        self.try_call(args)?.map_err(|trap| Error::Trapped { message: message(&trap) })
    }

    /// As [`DynFunc::call`], with the trap itself.
    ///
    /// # Errors
    /// As [`DynFunc::call`]; a trap is the inner error.
    #[track_caller]
    pub fn try_call(&self, args: &[Value]) -> Result<Result<Value, Trap>, Error> {
        let place = Location::caller();
        if args.len() != self.params().len() || args.iter().zip(self.params()).any(|(arg, &ty)| arg.ty() != ty) {
            let args = args.iter().map(|arg| (Described::scalar(arg.ty()), place));
            verify_arguments(&self.described(), args, place)?;
        }
        let caller = self.caller()?;
        let (mut few, mut many) = ([0; 16], Vec::new());
        let words = if args.len() <= few.len() {
            &mut few[..]
        } else {
            many.resize(args.len(), 0);
            &mut many[..]
        };
        for (word, arg) in words.iter_mut().zip(args) {
            *word = arg.to_bits();
        }
        Ok(caller.try_call(words.as_mut_ptr()).map(|()| Value::from_bits(self.ret(), words[0])))
    }

    /// The function as one of a signature known at compile time.
    ///
    /// ```
    /// use tickc::prelude::*;
    /// use tickc::Type;
    ///
    /// let first = Jit::new()?.compile_dyn(&[Type::I64, Type::F32], Type::I64, |p| p[0].into())?;
    /// let first: Func<fn(i64, f32) -> i64> = first.typed()?;
    /// assert_eq!(first.call(3, 0.5), 3);
    /// # Ok::<(), tickc::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ArgumentCount`], [`Error::ArgumentType`] or [`Error::ResultType`] when it has another signature.
    #[track_caller]
    #[allow(unsafe_code, reason = "asserts the signature that was checked")]
    pub fn typed<S: Signature>(&self) -> Result<Func<S>, Error> {
        let place = Location::caller();
        verify_arguments(&self.described(), S::PARAMS.iter().map(|&param| (param, place)), place)?;
        if S::RET != self.ret() {
            return Err(Error::ResultType { place, expected: S::RET, found: self.ret() });
        }
        // SAFETY: the code was compiled for these types, all of them scalars, and that result.
        Ok(unsafe { self.0.function.with_signature() })
    }

    /// The tier that compiled it.
    pub fn tier(&self) -> Tier {
        self.0.function.tier()
    }

    /// As [`Func::stats`].
    pub fn stats(&self) -> Stats {
        self.0.function.stats()
    }

    /// As [`Func::disassemble`].
    pub fn disassemble(&self) -> String {
        self.0.function.disassemble()
    }

    /// The target of a call from the function under construction, which keeps this one alive.
    pub(super) fn target_in(&self, e: &mut Emitter) -> Target {
        self.0.function.target_in(e)
    }

    fn described(&self) -> Vec<Described> {
        self.params().iter().map(|&ty| Described::scalar(ty)).collect()
    }

    fn caller(&self) -> Result<&Func<Caller>, Error> {
        if let Some(caller) = self.0.caller.get() {
            return Ok(caller);
        }
        let code = staged::<(*mut u64,), (), _, _>((), flags::CALLS, |e: &mut Emitter, (): &()| -> Val<()> {
            let words = e.param_home::<*mut u64>();
            let operands: Vec<_> = (self.params().iter().zip((0..).step_by(8)))
                .map(|(&ty, offset)| {
                    let pointer = e.get(words).into_operand();
                    (ty, e.machine.load_behind(ty, pointer, offset))
                })
                .collect();
            let target = self.target_in(e);
            let value = e.machine.call(target, &operands, 0, self.ret());
            if self.ret() != Type::Unit {
                let pointer = e.get(words).into_operand();
                let place = e.machine.address(pointer, None, 0, 0);
                e.machine.store(self.ret(), place, value);
            }
            e.unit()
        });
        let caller = Jit::of_tier(self.tier()).compile(code)?;
        // Another thread may have been faster.
        Ok(self.0.caller.get_or_init(|| caller))
    }
}

/// What a trap says, with the message of the panic if it is one.
fn message(trap: &Trap) -> String {
    let panic = match trap {
        Trap::HostPanic(payload) => payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&'static str>().copied()),
        _ => None,
    };
    panic.map_or_else(|| trap.to_string(), |panic| format!("{trap}: {panic}"))
}
