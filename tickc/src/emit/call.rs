//! Parameters and calls.

use std::panic::Location;

use super::vars::Home;
use super::{Emitter, Val, Var};
use crate::dynamic::Described;
use crate::error::Error;
use crate::func::Func;
use crate::group::{Declared, DeclaredId};
use crate::host::HostFn;
use crate::machine::{Operand, Target};
use crate::signature::{Param, ParamList, Return, Signature};
use crate::types::{DynamicType, Scalar, Shape, Type};

/// Arguments of a call: a tuple of `Val`s.
pub trait Arguments {
    /// Hands the scalars of the arguments, slices as pointer and length, to `each`; `pair` tells that the next two are one.
    #[doc(hidden)]
    fn flatten(self, e: &Emitter, each: &mut Flattened);
}

/// The scalars of a call's arguments.
#[doc(hidden)]
#[derive(Debug)]
pub struct Flattened {
    operands: [(Type, Operand); 24],
    len: usize,
    pairs: u32,
}

impl Flattened {
    fn new() -> Self {
        Flattened { operands: [(Type::Unit, Operand::UNIT); 24], len: 0, pairs: 0 }
    }

    fn push(&mut self, ty: Type, operand: Operand) {
        self.operands[self.len] = (ty, operand);
        self.len += 1;
    }

    fn push_value<T: DynamicType>(&mut self, e: &Emitter, v: Val<T>) {
        let operand = v.into_operand();
        match T::SHAPE {
            Shape::Unit => {}
            Shape::Scalar(ty) => self.push(ty, operand),
            Shape::Pair => {
                let (pointer, len) = e.pair_homes(operand);
                self.pairs |= 1 << self.len;
                self.push(Type::Ptr, pointer);
                self.push(Type::Usize, len);
            }
        }
    }
}

/// An `extern "C"` function with scalar parameters and a scalar result or none.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called from dynamic code",
    note = "callable are `extern \"C\"` functions with up to 12 scalar parameters and a scalar result or none"
)]
pub trait ExternFn: Copy {
    /// The arguments.
    type Args: Arguments;
    /// The result.
    type Ret: Return;
    /// Where it is.
    #[doc(hidden)]
    fn address(self) -> u64;
}

/// A run-time constant that can be called: an `extern "C"` function pointer, a [`Func`] or a
/// [`HostFn`](crate::HostFn).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called from dynamic code",
    note = "callable are `extern \"C\"` function pointers, `Func`s, `HostFn`s and `Declared` functions"
)]
pub trait Callable {
    /// The parameters.
    #[doc(hidden)]
    const PARAMS: &'static [Described];
    /// The arguments.
    type Args: Arguments;
    /// The result.
    type Ret: Return;
    /// What the call goes to, after the function under construction keeps it alive.
    #[doc(hidden)]
    #[track_caller]
    fn target(&self, e: &mut Emitter) -> Target;
}

macro_rules! arities {
    ($($($p:ident $i:tt)*;)*) => {$(
        impl<$($p: DynamicType,)*> Arguments for ($(Val<$p>,)*) {
            #[allow(unused_variables, reason = "without parameters")]
            fn flatten(self, e: &Emitter, each: &mut Flattened) {
                $(each.push_value(e, self.$i);)*
            }
        }
        impl<$($p: Scalar,)* R: Return> ExternFn for extern "C" fn($($p),*) -> R {
            type Args = ($(Val<$p>,)*);
            type Ret = R;
            fn address(self) -> u64 { self as usize as u64 }
        }
        impl<$($p: Scalar,)* R: Return> ExternFn for unsafe extern "C" fn($($p),*) -> R {
            type Args = ($(Val<$p>,)*);
            type Ret = R;
            fn address(self) -> u64 { self as usize as u64 }
        }
        impl<$($p: Scalar,)* R: Return> crate::fragment::Lift for extern "C" fn($($p),*) -> R {}
        impl<$($p: Scalar,)* R: Return> Callable for extern "C" fn($($p),*) -> R {
            const PARAMS: &'static [Described] = <fn($($p),*) -> R as Signature>::PARAMS;
            type Args = ($(Val<$p>,)*);
            type Ret = R;
            fn target(&self, _: &mut Emitter) -> Target { Target::Native(*self as usize as u64) }
        }
        impl<$($p: Param,)* R: Return> Callable for Func<fn($($p),*) -> R> {
            const PARAMS: &'static [Described] = <fn($($p),*) -> R as Signature>::PARAMS;
            type Args = ($(Val<$p>,)*);
            type Ret = R;
            fn target(&self, e: &mut Emitter) -> Target { self.target_in(e) }
        }
        impl<$($p: Param,)* R: Return> Callable for HostFn<fn($($p),*) -> R> {
            const PARAMS: &'static [Described] = <fn($($p),*) -> R as Signature>::PARAMS;
            type Args = ($(Val<$p>,)*);
            type Ret = R;
            fn target(&self, e: &mut Emitter) -> Target { self.target_in(e) }
        }
        impl<$($p: Param,)* R: Return> Callable for Declared<fn($($p),*) -> R> {
            const PARAMS: &'static [Described] = <fn($($p),*) -> R as Signature>::PARAMS;
            type Args = ($(Val<$p>,)*);
            type Ret = R;
            fn target(&self, e: &mut Emitter) -> Target { e.declared(self.id) }
        }
    )*};
}
arities! {
    ;
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
}
impl<S: Signature> crate::fragment::Lift for Func<S> {}
impl<S: Signature> crate::fragment::Lift for &Func<S> {}
impl<S: Signature> crate::fragment::Lift for HostFn<S> {}
impl<S: Signature> crate::fragment::Lift for &HostFn<S> {}
impl<C: Callable> Callable for &C {
    const PARAMS: &'static [Described] = C::PARAMS;
    type Args = C::Args;
    type Ret = C::Ret;
    fn target(&self, e: &mut Emitter) -> Target {
        (**self).target(e)
    }
}

impl Emitter {
    /// The next parameter, whose handle Rust code asks for.
    #[inline]
    #[track_caller]
    pub fn param<T: Param>(&mut self) -> Var<T> {
        let home = self.param_home();
        self.var(home)
    }

    /// The next parameter, known by its name only.
    #[inline]
    pub fn param_home<T: Param>(&mut self) -> Home<T> {
        let index = self.next_param;
        // Parameters come first in the table, in order, so a variable's index is that of its home.
        match T::SHAPE {
            Shape::Unit => {}
            Shape::Scalar(_) => {
                let home = self.homes[index];
                self.next_param += 1;
                return self.home_at(home);
            }
            Shape::Pair => {
                self.declare_at(self.homes[index]);
                self.declare_at(self.homes[index + 1]);
                self.next_param += 2;
            }
        }
        self.home_of(index as u32)
    }

    /// Calls an `extern "C"` function.
    pub fn call<F: ExternFn>(&mut self, f: F, args: F::Args) -> Val<F::Ret> {
        self.call_target(Target::Native(f.address()), args)
    }

    /// Calls a run-time constant.
    #[track_caller]
    pub fn call_lifted<L: Callable>(&mut self, f: &crate::fragment::Lifted<L>, args: L::Args) -> Val<L::Ret> {
        let target = f.0.target(self);
        self.call_target(target, args)
    }

    /// Calls the function under construction.
    pub fn call_self<P: ParamList, R: Return>(&mut self, args: impl Arguments) -> Val<R> {
        self.call_target(Target::SelfCall, args)
    }

    /// The target of a call of a declared function.
    #[track_caller]
    fn declared(&mut self, id: DeclaredId) -> Target {
        let used = Location::caller();
        let cell = match &self.group {
            Some(group) => group.cell(id, used),
            None => Err(Error::OtherGroup { declared: id.declared, used }),
        };
        Target::Declared(cell.unwrap_or_else(|error| {
            self.set_error(error);
            0
        }))
    }

    fn call_target<R: Return>(&mut self, target: Target, args: impl Arguments) -> Val<R> {
        let mut flat = Flattened::new();
        args.flatten(self, &mut flat);
        Val::new(self.machine.call(target, &flat.operands[..flat.len], flat.pairs, R::TYPE))
    }
}
