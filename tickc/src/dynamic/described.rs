//! What a run-time check knows of a type of dynamic code.

use std::any::TypeId;
use std::fmt;

use crate::types::{DynamicType, Shape, Type};

/// A type of dynamic code as a value: for scalars its [`Type`] (raw pointers to different types count as one), for slices and
/// references to records exactly the Rust type, as passing one for another would break the caller's promises.
#[derive(Clone, Copy)]
pub struct Described {
    shape: Shape,
    /// Of a type that is no scalar: which one.
    exact: Option<Exact>,
}

#[derive(Clone, Copy)]
struct Exact {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
}

impl Described {
    /// The description of `T`.
    pub(crate) const fn of<T: DynamicType>() -> Described {
        let is_scalar = !T::IS_REF && !matches!(T::SHAPE, Shape::Pair);
        let exact = Exact { id: TypeId::of::<T>, name: std::any::type_name::<T> };
        Described { shape: T::SHAPE, exact: if is_scalar { None } else { Some(exact) } }
    }

    /// The description of a scalar type or `()`.
    pub(crate) const fn scalar(ty: Type) -> Described {
        Described { shape: if let Type::Unit = ty { Shape::Unit } else { Shape::Scalar(ty) }, exact: None }
    }

    /// How it is held.
    pub(crate) const fn shape(self) -> Shape {
        self.shape
    }
}

impl PartialEq for Described {
    fn eq(&self, other: &Described) -> bool {
        match (self.exact, other.exact) {
            (None, None) => self.shape == other.shape,
            (Some(a), Some(b)) => (a.id)() == (b.id)(),
            _ => false,
        }
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.exact, self.shape) {
            (Some(exact), _) => f.write_str(&(exact.name)().replace("tickc::types::", "")),
            (None, Shape::Scalar(ty)) => ty.fmt(f),
            (None, _) => Type::Unit.fmt(f),
        }
    }
}

impl fmt::Debug for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
