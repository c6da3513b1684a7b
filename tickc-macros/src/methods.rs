//! The methods that dynamic values have, in one table.
//!
//! Whether a method exists for the type at hand is for rustc to say; the table only knows names and numbers of arguments.

/// How a method call is expanded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// To the emitter's method `m_NAME`.
    Plain,
    /// To the emitter's method `m_NAME`, of a `bool` that may be a pending condition.
    Predicate,
    /// To the emitter's method `m_NAME`, which calls a function of Rust's library.
    Host,
    /// `len`: of a slice, or of an array that is a place.
    Len,
    /// `is_empty`: of a slice.
    IsEmpty,
    /// To the emitter's `unsafe` method `ptr_NAME`.
    Pointer,
    /// `p.read()`, `p.write(v)` and the like: to the emitter's method of the name, of the place that the pointer points to.
    Access,
}

/// One method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method {
    pub name: &'static str,
    /// Number of arguments besides the receiver.
    pub args: usize,
    pub kind: Kind,
}

const fn plain(name: &'static str, args: usize) -> Method {
    Method { name, args, kind: Kind::Plain }
}

const fn predicate(name: &'static str, args: usize) -> Method {
    Method { name, args, kind: Kind::Predicate }
}

const fn host(name: &'static str, args: usize) -> Method {
    Method { name, args, kind: Kind::Host }
}

const fn pointer(name: &'static str, args: usize) -> Method {
    Method { name, args, kind: Kind::Pointer }
}

const fn access(name: &'static str, args: usize) -> Method {
    Method { name, args, kind: Kind::Access }
}

const METHODS: &[Method] = &[
    plain("wrapping_add", 1),
    plain("wrapping_sub", 1),
    plain("wrapping_mul", 1),
    plain("wrapping_div", 1),
    plain("wrapping_rem", 1),
    plain("wrapping_neg", 0),
    plain("wrapping_abs", 0),
    plain("wrapping_shl", 1),
    plain("wrapping_shr", 1),
    plain("wrapping_pow", 1),
    plain("wrapping_offset", 1),
    plain("saturating_add", 1),
    plain("saturating_sub", 1),
    plain("rotate_left", 1),
    plain("rotate_right", 1),
    plain("count_ones", 0),
    plain("count_zeros", 0),
    plain("leading_zeros", 0),
    plain("leading_ones", 0),
    plain("trailing_zeros", 0),
    plain("trailing_ones", 0),
    plain("swap_bytes", 0),
    plain("reverse_bits", 0),
    plain("to_be", 0),
    plain("to_le", 0),
    plain("abs", 0),
    plain("unsigned_abs", 0),
    plain("abs_diff", 1),
    plain("signum", 0),
    plain("pow", 1),
    plain("min", 1),
    plain("max", 1),
    plain("clamp", 2),
    plain("mul_hi", 1),
    plain("rem_euclid", 1),
    plain("div_euclid", 1),
    plain("div_ceil", 1),
    plain("cast_signed", 0),
    plain("cast_unsigned", 0),
    plain("sqrt", 0),
    plain("floor", 0),
    plain("ceil", 0),
    plain("trunc", 0),
    plain("round", 0),
    plain("round_ties_even", 0),
    plain("fract", 0),
    plain("recip", 0),
    plain("copysign", 1),
    plain("to_degrees", 0),
    plain("to_radians", 0),
    plain("to_bits", 0),
    plain("addr", 0),
    predicate("is_power_of_two", 0),
    predicate("is_multiple_of", 1),
    predicate("is_negative", 0),
    predicate("is_positive", 0),
    predicate("is_nan", 0),
    predicate("is_infinite", 0),
    predicate("is_finite", 0),
    predicate("is_sign_negative", 0),
    predicate("is_sign_positive", 0),
    predicate("is_null", 0),
    host("mul_add", 2),
    host("powf", 1),
    host("powi", 1),
    host("exp", 0),
    host("exp2", 0),
    host("exp_m1", 0),
    host("ln", 0),
    host("ln_1p", 0),
    host("log", 1),
    host("log2", 0),
    host("log10", 0),
    host("cbrt", 0),
    host("hypot", 1),
    host("sin", 0),
    host("cos", 0),
    host("tan", 0),
    host("asin", 0),
    host("acos", 0),
    host("atan", 0),
    host("atan2", 1),
    host("sinh", 0),
    host("cosh", 0),
    host("tanh", 0),
    Method { name: "len", args: 0, kind: Kind::Len },
    Method { name: "is_empty", args: 0, kind: Kind::IsEmpty },
    pointer("add", 1),
    pointer("sub", 1),
    pointer("offset", 1),
    pointer("offset_from", 1),
    access("read", 0),
    access("read_unaligned", 0),
    access("read_volatile", 0),
    access("write", 1),
    access("write_unaligned", 1),
    access("write_volatile", 1),
];

/// What a type of numbers makes of a value: `u32::from_be(x)`.
const CONSTRUCTORS: &[&str] = &["from", "from_be", "from_le", "from_bits"];

/// Whether `TYPE::name(…)` with a type of numbers is a method or a constructor.
pub(crate) fn is_associated(name: &str, args: usize) -> bool {
    is_constructor(name) && args == 1
        || lookup(name).is_some_and(|method| {
            method.args + 1 == args && matches!(method.kind, Kind::Plain | Kind::Predicate | Kind::Host)
        })
}

/// Whether `TYPE::name(x)` makes a value of another one.
pub(crate) fn is_constructor(name: &str) -> bool {
    CONSTRUCTORS.contains(&name)
}

impl Method {
    /// Whether a call changes memory, or must keep its place among others that do.
    pub(crate) fn has_effects(self) -> bool {
        self.kind == Kind::Access && (self.args == 1 || self.name == "read_volatile")
    }
}

/// The method of this name.
pub(crate) fn lookup(name: &str) -> Option<Method> {
    METHODS.iter().copied().find(|method| method.name == name)
}

/// The method whose name is nearest to a misspelt one, if any is near.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    METHODS
        .iter()
        .map(|method| (distance(name, method.name), method.name))
        .min()
        .filter(|&(distance, known)| distance <= known.len() / 3)
        .map(|(_, known)| known)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        for (i, method) in METHODS.iter().enumerate() {
            assert!(METHODS[..i].iter().all(|other| other.name != method.name), "{} stands twice", method.name);
        }
    }

    #[test]
    fn misspelt_names_are_recognised() {
        assert_eq!(nearest("rotate_lef"), Some("rotate_left"));
        assert_eq!(nearest("wraping_add"), Some("wrapping_add"));
        assert_eq!(nearest("to_string"), None);
    }
}
