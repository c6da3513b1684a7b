//! Dynamic code whose types are known only at run time: 'C's `param`, `push_init`, `push`.
//!
//! - [`value`]: [`Value`], a value with its type
//! - [`any`]: [`AnyVar`] and [`AnyCode`], variables and fragments that carry their type
//! - [`func`]: [`DynFunc`], a compiled function that carries its signature
//! - [`call`]: [`DynCall`], a call built argument by argument
//! - [`described`]: what checks know of a type
//!
//! Every check is made before code runs: by conversions to typed handles, by `compile`, or by `DynFunc::call`. The code is the
//! same as that of typed quotations.

mod any;
mod call;
mod described;
mod func;
mod value;

pub use any::{AnyCode, AnyVar};
pub use call::{DynCall, DynCallee, IntoArgument};
pub(crate) use described::Described;
pub use func::DynFunc;
pub use value::Value;

use crate::emit::next_function;
use crate::error::Error;
use crate::jit::{Jit, Quoted};
use crate::types::Type;
use func::{Prototype, Untyped};

/// How many parameters a function may have whose signature is known only at run time.
const MAX_PARAMS: usize = 1000;

impl Jit {
    /// Compiles a function whose signature is known only at run time. 'C's `param`.
    ///
    /// `body` gets the parameters, of the types `params`, and makes the fragment that yields the result, of type `ret`.
    ///
    /// ```
    /// use tickc::prelude::*;
    /// use tickc::{AnyCode, AnyVar, Type, Value};
    ///
    /// /// The sum of all parameters as an `f64`.
    /// fn sum(params: &[AnyVar]) -> Result<AnyCode<'static>, Error> {
    ///     let mut sum = tick!(0.0);
    ///     for param in params {
    ///         sum = match param.ty() {
    ///             Type::I32 => { let x = param.typed::<i32>()?; tick!(@sum + @x as f64) }
    ///             _ => { let x = param.typed::<f64>()?; tick!(@sum + @x) }
    ///         };
    ///     }
    ///     Ok(sum.into())
    /// }
    ///
    /// let types = [Type::F64, Type::I32, Type::F64]; // say, from a file
    /// let f = Jit::new()?.compile_dyn(&types, Type::F64, |params| sum(params).expect("there are no other types"))?;
    /// assert_eq!(f.call(&[Value::F64(0.5), Value::I32(-3), Value::F64(10.0)])?, Value::F64(7.5));
    /// assert!(f.call(&[Value::F64(0.5), Value::I32(-3), Value::I32(10)]).is_err());
    /// # Ok::<(), tickc::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnitParameter`], [`Error::TooManyParameters`] beyond 1000, [`Error::WrongType`] when the body yields another type
    /// than `ret`, and as [`Jit::compile`].
    ///
    /// # Panics
    /// When `body` does, or deferred code of its quotations.
    pub fn compile_dyn<'a>(
        &self,
        params: &[Type],
        ret: Type,
        body: impl FnOnce(&[AnyVar]) -> AnyCode<'a>,
    ) -> Result<DynFunc, Error> {
        if params.len() > MAX_PARAMS {
            return Err(Error::TooManyParameters { found: params.len(), limit: MAX_PARAMS });
        }
        if let Some(k) = params.iter().position(|&ty| ty == Type::Unit) {
            return Err(Error::UnitParameter { number: k + 1 });
        }
        let function = next_function();
        let vars: Vec<_> = params.iter().zip(0..).map(|(&ty, index)| AnyVar::new(function, index, ty)).collect();
        let code = body(&vars);
        if code.ty() != ret {
            return Err(Error::WrongType { what: "body of the function", expected: ret, found: code.ty() });
        }
        let quoted = &Quoted { params, pairs: 0, ret, function: Some(function), group: None };
        let function =
            self.compile_quoted::<Untyped, _>(self.tier(), quoted, code.handle, || Prototype(params, ret).to_string())?;
        Ok(DynFunc::new(function, params, ret))
    }
}
