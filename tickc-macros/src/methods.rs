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
    /// `len`: of a slice, or of an array that is a place.
    Len,
    /// `is_empty`: of a slice.
    IsEmpty,
    /// To the emitter's `unsafe` method `ptr_NAME`.
    Pointer,
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

const METHODS: &[Method] = &[
    plain("wrapping_add", 1),
    plain("wrapping_sub", 1),
    plain("wrapping_mul", 1),
    plain("wrapping_neg", 0),
    plain("wrapping_shl", 1),
    plain("wrapping_shr", 1),
    plain("rotate_left", 1),
    plain("rotate_right", 1),
    plain("count_ones", 0),
    plain("count_zeros", 0),
    plain("leading_zeros", 0),
    plain("trailing_zeros", 0),
    plain("swap_bytes", 0),
    plain("abs", 0),
    plain("wrapping_abs", 0),
    plain("unsigned_abs", 0),
    plain("signum", 0),
    plain("abs_diff", 1),
    plain("min", 1),
    plain("max", 1),
    plain("sqrt", 0),
    plain("floor", 0),
    plain("ceil", 0),
    plain("trunc", 0),
    plain("to_bits", 0),
    plain("rem_euclid", 1),
    plain("div_euclid", 1),
    Method { name: "is_null", args: 0, kind: Kind::Predicate },
    Method { name: "is_nan", args: 0, kind: Kind::Predicate },
    Method { name: "len", args: 0, kind: Kind::Len },
    Method { name: "is_empty", args: 0, kind: Kind::IsEmpty },
    Method { name: "add", args: 1, kind: Kind::Pointer },
    Method { name: "sub", args: 1, kind: Kind::Pointer },
    Method { name: "offset", args: 1, kind: Kind::Pointer },
];

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
