//! The methods of floats. What SSE has no instruction for is made of what it has where that is exact, else Rust's own method is
//! called.

use super::{Emitter, Val};
use crate::machine::{Binary, BinaryOp, Compare, Comparison, Operand, Target, UnaryOp};
use crate::types::{Float, Int, Number, Scalar, Type};

/// A float type and the integer of the same size.
pub trait FloatBits: Float {
    /// The integer.
    type Bits: Int;
}
impl FloatBits for f32 {
    type Bits = u32;
}
impl FloatBits for f64 {
    type Bits = u64;
}

macro_rules! rounding_methods {
    ($($name:ident $op:ident;)*) => {
        impl Emitter {$(
            /// The method of this name.
            #[inline]
            pub fn $name<T: Float>(&mut self, a: Val<T>) -> Val<T> {
                Val::new(self.unary(UnaryOp::$op, T::TYPE, a.into_operand()))
            }
        )*}
    };
}
rounding_methods!(m_sqrt Sqrt; m_floor Floor; m_ceil Ceil; m_trunc Trunc;);

/// The addresses of a function for `f32` and `f64`, and the two functions for constants.
struct Host<const N: usize> {
    f32: *const (),
    f64: *const (),
    fold_f32: fn([f32; N]) -> f32,
    fold_f64: fn([f64; N]) -> f64,
}

macro_rules! host_methods {
    ($($name:ident $method:ident($($arg:ident)*) $n:literal;)*) => {
        impl Emitter {$(
            /// The method of this name, as Rust computes it.
            pub fn $name<T: Float>(&mut self, x: Val<T>, $($arg: Val<T>),*) -> Val<T> {
                extern "C" fn on_f32(x: f32, $($arg: f32),*) -> f32 { x.$method($($arg),*) }
                extern "C" fn on_f64(x: f64, $($arg: f64),*) -> f64 { x.$method($($arg),*) }
                let host = Host {
                    f32: on_f32 as *const (),
                    f64: on_f64 as *const (),
                    fold_f32: |[x, $($arg),*]: [f32; $n]| on_f32(x, $($arg),*),
                    fold_f64: |[x, $($arg),*]: [f64; $n]| on_f64(x, $($arg),*),
                };
                Val::new(self.call_host(T::TYPE, &host, [x.into_operand(), $($arg.into_operand()),*]))
            }
        )*}
    };
}
host_methods! {
    m_mul_add mul_add(y z) 3;
    m_powf powf(y) 2; m_atan2 atan2(y) 2; m_hypot hypot(y) 2; m_log log(y) 2;
    m_exp exp() 1; m_exp2 exp2() 1; m_exp_m1 exp_m1() 1; m_ln ln() 1; m_ln_1p ln_1p() 1; m_log2 log2() 1; m_log10 log10() 1;
    m_cbrt cbrt() 1; m_sin sin() 1; m_cos cos() 1; m_tan tan() 1; m_asin asin() 1; m_acos acos() 1; m_atan atan() 1;
    m_sinh sinh() 1; m_cosh cosh() 1; m_tanh tanh() 1;
}

impl Emitter {
    fn call_host<const N: usize>(&mut self, ty: Type, host: &Host<N>, args: [Operand; N]) -> Operand {
        if args.iter().all(|arg| arg.is_const()) {
            let bits = args.map(|arg| arg.body);
            return Operand::constant(match ty {
                Type::F32 => Scalar::to_bits((host.fold_f32)(bits.map(<f32 as Scalar>::from_bits))),
                _ => Scalar::to_bits((host.fold_f64)(bits.map(<f64 as Scalar>::from_bits))),
            });
        }
        let address = if ty == Type::F32 { host.f32 } else { host.f64 };
        self.machine.call(Target::Native(address.addr() as u64), &args.map(|arg| (ty, arg)), 0, ty)
    }

    /// The float constant of type `ty`.
    fn float(ty: Type, value: f64) -> Operand {
        Operand::constant(super::fold::fold_convert(Type::F64, ty, value.to_bits()))
    }

    fn float_op(&mut self, op: BinaryOp, ty: Type, a: Operand, b: Operand) -> Operand {
        self.binary(Binary { op, ty }, a, b)
    }

    /// The bits of `a` that `mask` has, as an integer.
    fn masked_bits(&mut self, ty: Type, a: Operand, mask: u64) -> Operand {
        let bits = bits_of(ty);
        let a = self.bitcast(ty, bits, a);
        self.binary(Binary { op: BinaryOp::And, ty: bits }, a, Operand::constant(mask))
    }

    /// The magnitude of `a` with the sign of `sign`.
    fn with_sign(&mut self, ty: Type, a: Operand, sign: Operand) -> Operand {
        let sign_bit = 1u64 << (ty.bits() - 1);
        let bits = bits_of(ty);
        let magnitude = self.masked_bits(ty, a, sign_bit - 1);
        let sign = self.masked_bits(ty, sign, sign_bit);
        let both = self.binary(Binary { op: BinaryOp::Or, ty: bits }, magnitude, sign);
        self.bitcast(bits, ty, both)
    }

    /// `x.to_bits()`.
    #[inline]
    pub fn m_to_bits<T: FloatBits>(&mut self, a: Val<T>) -> Val<T::Bits> {
        Val::new(self.bitcast(T::TYPE, T::Bits::TYPE, a.into_operand()))
    }

    /// `f64::from_bits(x)`.
    #[inline]
    pub fn m_from_bits<T: FloatBits>(&mut self, a: Val<T::Bits>) -> Val<T> {
        Val::new(self.bitcast(T::Bits::TYPE, T::TYPE, a.into_operand()))
    }

    fn bitcast(&mut self, from: Type, to: Type, a: Operand) -> Operand {
        if a.is_const() { a } else { self.machine.bitcast(from, to, a) }
    }

    /// `x.is_nan()`.
    pub fn m_is_nan<T: Float>(&mut self, a: Val<T>) -> Val<bool> {
        let a = a.into_operand();
        if a.is_const() {
            return Val::new(Operand::constant(u64::from(is_nan(T::TYPE, a.body))));
        }
        let a = self.held(T::TYPE, a);
        let other = self.machine.borrowed(a);
        let differs = Compare { op: Comparison::Ne, ty: T::TYPE };
        Val::new(self.machine.compare(differs, other, a))
    }

    fn compare_magnitude<T: Float>(&mut self, op: Comparison, a: Val<T>, with: f64) -> Val<bool> {
        let magnitude = self.unary(UnaryOp::Abs, T::TYPE, a.into_operand());
        Val::new(self.compare(Compare { op, ty: T::TYPE }, magnitude, Self::float(T::TYPE, with)))
    }

    /// `x.is_infinite()`.
    pub fn m_is_infinite<T: Float>(&mut self, a: Val<T>) -> Val<bool> {
        self.compare_magnitude(Comparison::Eq, a, f64::INFINITY)
    }

    /// `x.is_finite()`.
    pub fn m_is_finite<T: Float>(&mut self, a: Val<T>) -> Val<bool> {
        self.compare_magnitude(Comparison::Lt, a, f64::INFINITY)
    }

    fn compare_sign<T: Float>(&mut self, op: Comparison, a: Val<T>) -> Val<bool> {
        let signed = if T::TYPE == Type::F32 { Type::I32 } else { Type::I64 };
        let a = a.into_operand();
        let bits =
            if a.is_const() { Operand::constant(signed.canonical(a.body)) } else { self.bitcast(T::TYPE, signed, a) };
        Val::new(self.compare(Compare { op, ty: signed }, bits, Operand::constant(0)))
    }

    /// `x.is_sign_negative()`.
    pub fn m_is_sign_negative<T: Float>(&mut self, a: Val<T>) -> Val<bool> {
        self.compare_sign(Comparison::Lt, a)
    }

    /// `x.is_sign_positive()`.
    pub fn m_is_sign_positive<T: Float>(&mut self, a: Val<T>) -> Val<bool> {
        self.compare_sign(Comparison::Ge, a)
    }

    /// `x.copysign(sign)`.
    pub fn m_copysign<T: Float>(&mut self, a: Val<T>, sign: Val<T>) -> Val<T> {
        Val::new(self.with_sign(T::TYPE, a.into_operand(), sign.into_operand()))
    }

    /// `x.recip()`.
    pub fn m_recip<T: Float>(&mut self, a: Val<T>) -> Val<T> {
        Val::new(self.float_op(BinaryOp::Div, T::TYPE, Self::float(T::TYPE, 1.0), a.into_operand()))
    }

    /// `x.fract()`.
    pub fn m_fract<T: Float>(&mut self, a: Val<T>) -> Val<T> {
        let scope = self.scope();
        let a = self.let_immutable(a);
        let whole = self.get(a);
        let whole = self.m_trunc(whole);
        let a = self.get(a);
        let fraction = self.sub(a, whole);
        self.end_scope(scope, fraction)
    }

    /// `x.round()`, halves away from zero: half a unit with the sign of x is added, but the half below 0.5, so that nothing
    /// below a half reaches the next whole number, and what is cut off is the rest.
    pub fn m_round<T: Float>(&mut self, a: Val<T>) -> Val<T> {
        let ty = T::TYPE;
        let half =
            if ty == Type::F32 { Operand::constant(0x3eff_ffff) } else { Operand::constant(0x3fdf_ffff_ffff_ffff) };
        let scope = self.scope();
        let a = self.let_immutable(a);
        let sign = self.get(a);
        let half = self.with_sign(ty, half, sign.into_operand());
        let a = self.get(a);
        let sum = self.float_op(BinaryOp::Add, ty, a.into_operand(), half);
        let rounded = self.m_trunc(Val::new(sum));
        self.end_scope(scope, rounded)
    }

    /// `x.round_ties_even()`: below 2^mantissa the addition of that number rounds, above there is nothing to round.
    pub fn m_round_ties_even<T: Float>(&mut self, a: Val<T>) -> Val<T> {
        let ty = T::TYPE;
        let whole = if ty == Type::F32 { 2f64.powi(23) } else { 2f64.powi(52) };
        let scope = self.scope();
        let a = self.let_immutable(a);
        let small = self.get(a);
        let small = self.compare_magnitude(Comparison::Lt, small, whole);
        let rounded = self.select(
            small,
            |e| {
                let x = e.get(a);
                let magnitude = e.unary(UnaryOp::Abs, ty, x.into_operand());
                let sum = e.float_op(BinaryOp::Add, ty, magnitude, Self::float(ty, whole));
                let magnitude = e.float_op(BinaryOp::Sub, ty, sum, Self::float(ty, whole));
                let x = e.get(a);
                Val::new(e.with_sign(ty, magnitude, x.into_operand()))
            },
            |e| e.get(a),
        );
        self.end_scope(scope, rounded)
    }

    /// `x.to_degrees()`, with Rust's factor.
    pub fn m_to_degrees<T: Float>(&mut self, a: Val<T>) -> Val<T> {
        let bits = match T::TYPE {
            Type::F32 => u64::from(1f32.to_degrees().to_bits()),
            _ => 1f64.to_degrees().to_bits(),
        };
        Val::new(self.float_op(BinaryOp::Mul, T::TYPE, a.into_operand(), Operand::constant(bits)))
    }

    /// `x.to_radians()`, with Rust's factor.
    pub fn m_to_radians<T: Float>(&mut self, a: Val<T>) -> Val<T> {
        let bits = match T::TYPE {
            Type::F32 => u64::from(1f32.to_radians().to_bits()),
            _ => 1f64.to_radians().to_bits(),
        };
        Val::new(self.float_op(BinaryOp::Mul, T::TYPE, a.into_operand(), Operand::constant(bits)))
    }

    /// `x.powi(n)`, as Rust computes it.
    pub fn m_powi<T: Float>(&mut self, a: Val<T>, n: Val<i32>) -> Val<T> {
        extern "C" fn on_f32(x: f32, n: i32) -> f32 {
            x.powi(n)
        }
        extern "C" fn on_f64(x: f64, n: i32) -> f64 {
            x.powi(n)
        }
        let (a, n) = (a.into_operand(), n.into_operand());
        if a.is_const() && n.is_const() {
            let n = n.body as i32;
            return Val::new(Operand::constant(match T::TYPE {
                Type::F32 => Scalar::to_bits(on_f32(Scalar::from_bits(a.body), n)),
                _ => Scalar::to_bits(on_f64(Scalar::from_bits(a.body), n)),
            }));
        }
        let address = if T::TYPE == Type::F32 { on_f32 as *const () } else { on_f64 as *const () };
        let args = [(T::TYPE, a), (Type::I32, n)];
        Val::new(self.machine.call(Target::Native(address.addr() as u64), &args, 0, T::TYPE))
    }

    pub(super) fn signum_float<T: Number>(&mut self, a: Val<T>) -> Val<T> {
        let ty = T::TYPE;
        let scope = self.scope();
        let a = self.let_immutable(a);
        let (x, y) = (self.get(a), self.get(a));
        let number = self.eq(x, y);
        let sign = self.select(
            number,
            |e| {
                let sign = e.get(a);
                Val::new(e.with_sign(ty, Self::float(ty, 1.0), sign.into_operand()))
            },
            |e| e.get(a),
        );
        self.end_scope(scope, sign)
    }

    pub(super) fn clamp_float<T: Number>(&mut self, a: Val<T>, low: Val<T>, high: Val<T>) -> Val<T> {
        let scope = self.scope();
        let (a, low, high) = (self.let_home(a), self.let_immutable(low), self.let_immutable(high));
        for (limit, op) in [(low, Comparison::Lt), (high, Comparison::Gt)] {
            let (x, y) = (self.get(a), self.get(limit));
            let beyond = self.compare(Compare { op, ty: T::TYPE }, x.into_operand(), y.into_operand());
            let mut choice = self.if_::<()>(Val::new(beyond));
            if choice.then_live() {
                let limit = self.get(limit);
                self.assign(a, limit);
                let unit = self.unit();
                self.then_end(&mut choice, unit);
            }
            self.if_end(choice).into_operand();
        }
        let a = self.get(a);
        self.end_scope(scope, a)
    }

    pub(super) fn rem_euclid_float<T: Number>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        let ty = T::TYPE;
        let scope = self.scope();
        let b = self.let_immutable(b);
        let y = self.get(b);
        let remainder = self.rem(a, y);
        let remainder = self.let_immutable(remainder);
        let r = self.get(remainder);
        let negative = self.lt(r, Val::new(Self::float(ty, 0.0)));
        let result = self.select(
            negative,
            |e| {
                let (r, y) = (e.get(remainder), e.get(b));
                let magnitude = e.unary(UnaryOp::Abs, ty, y.into_operand());
                e.add(r, Val::new(magnitude))
            },
            |e| e.get(remainder),
        );
        self.end_scope(scope, result)
    }

    pub(super) fn div_euclid_float<T: Number>(&mut self, a: Val<T>, b: Val<T>) -> Val<T> {
        let ty = T::TYPE;
        let scope = self.scope();
        let (a, b) = (self.let_immutable(a), self.let_immutable(b));
        let (x, y) = (self.get(a), self.get(b));
        let quotient = self.div(x, y);
        let quotient = self.unary(UnaryOp::Trunc, ty, quotient.into_operand());
        let quotient = self.let_immutable(Val::<T>::new(quotient));
        let (x, y) = (self.get(a), self.get(b));
        let remainder = self.rem(x, y);
        let negative = self.lt(remainder, Val::new(Self::float(ty, 0.0)));
        let result = self.select(
            negative,
            |e| {
                // One step on, in the direction of -b.
                let y = e.get(b);
                let step = e.with_sign(ty, Self::float(ty, 1.0), y.into_operand());
                let quotient = e.get(quotient);
                e.sub(quotient, Val::new(step))
            },
            |e| e.get(quotient),
        );
        self.end_scope(scope, result)
    }
}

/// The unsigned integer type of a float's size.
fn bits_of(ty: Type) -> Type {
    if ty == Type::F32 { Type::U32 } else { Type::U64 }
}

fn is_nan(ty: Type, bits: u64) -> bool {
    if ty == Type::F32 { f32::from_bits(bits as u32).is_nan() } else { f64::from_bits(bits).is_nan() }
}
