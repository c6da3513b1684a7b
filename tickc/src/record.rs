//! Records: Rust structs whose fields dynamic code can name.

use std::fmt;
use std::marker::PhantomData;

use crate::types::Element;

/// A struct whose fields dynamic code reads and writes by name; implement it with `#[derive(Record)]`.
///
/// Fields are scalars, other records, and arrays of them. A field is visible in a quotation where it is visible in Rust.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a record",
    note = "put `#[derive(Clone, Copy, tickc::Record)]` on the struct"
)]
pub trait Record: Copy + 'static {
    /// A struct with one [`Field`] per field, of the same name and visibility.
    #[doc(hidden)]
    type Fields: 'static;
    /// The fields.
    #[doc(hidden)]
    const FIELDS: Self::Fields;
}

/// Where in record `R` a field of type `F` lies.
#[doc(hidden)]
pub struct Field<R, F> {
    offset: u32,
    marker: PhantomData<fn(R) -> F>,
}

impl<R, F: Element> Field<R, F> {
    /// The field at `offset` bytes.
    ///
    /// # Panics
    /// When the field does not lie within the record; in a constant, that is a compile error.
    pub const fn new(offset: usize) -> Self {
        assert!(offset + size_of::<F>() <= size_of::<R>(), "the field lies outside of its record");
        assert!(size_of::<R>() <= i32::MAX as usize, "the record is too large");
        Field { offset: offset as u32, marker: PhantomData }
    }

    /// Bytes from the start of the record.
    pub(crate) const fn offset(self) -> u32 {
        self.offset
    }
}

/// Compiles only where a field has the type that the derive has read: an attribute macro may change the struct after that.
pub fn same_type<T>(_: &T, _: PhantomData<T>) {}

impl<R, F> Clone for Field<R, F> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R, F> Copy for Field<R, F> {}
impl<R, F> fmt::Debug for Field<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field at {}", self.offset)
    }
}
