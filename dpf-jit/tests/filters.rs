//! What `build` refuses, and the rule of overlaps.

use dpf_jit::{Classifier, Error, Filter, FilterBuilder, FilterError};

fn error(builder: FilterBuilder) -> FilterError {
    builder.build().unwrap_err()
}

#[test]
fn mistakes_name_the_atom() {
    let b = Filter::builder;
    assert_eq!(
        error(b().eq_u16(12, 1).eq_u8(13, 1)).to_string(),
        "atom 1 (u8 at 13 == 0x1) overlaps atom 0 (u16 at 12 == 0x1)"
    );
    assert_eq!(
        error(b().eq_u16(12, 1).eq_u8(13, 2)).to_string(),
        "atom 1 (u8 at 13 == 0x2) contradicts atom 0 (u16 at 12 == 0x1): the filter matches nothing"
    );
    assert!(matches!(error(b().eq_u8(1, 5).range_u8(1, 6..=9)), FilterError::Contradiction { atom: 1, first: 0, .. }));
    assert!(matches!(error(b().range_u8(1, 1..=9).eq_u8(1, 5)), FilterError::Overlap { atom: 1, first: 0, .. }));
    assert!(matches!(error(b().range_u8(1, 1..=3).range_u8(1, 5..=9)), FilterError::Contradiction { atom: 1, .. }));
    // Constant shifts are seen through.
    assert!(matches!(error(b().eq_u8(6, 5).advance(4).eq_u8(2, 5)), FilterError::Overlap { atom: 2, first: 0, .. }));
    assert!(matches!(error(b().eq_u16(65_535, 0)), FilterError::Offset { atom: 0, end: 65_537 }));
    assert!(matches!(error(b().advance(65_530).eq_u64(0, 0)), FilterError::Offset { atom: 1, end: 65_538 }));
    assert!(matches!(error(b().eq_u8(usize::MAX, 0)), FilterError::Offset { atom: 0, .. }));
    assert!(matches!(error(b().masked_u8(0, 0xf0, 0x41)), FilterError::Never { atom: 0, .. }));
    #[allow(clippy::reversed_empty_ranges, reason = "the mistake under test")]
    let empty = b().eq_u8(9, 1).range_u16(0, 5..=4);
    assert_eq!(error(empty).to_string(), "atom 1 matches nothing: u16 at 0 in 5..=4");
    assert!(matches!(error(b().masked_range_u8(0, 0xf0, 5..=6)), FilterError::Never { atom: 0, .. }));
    assert!(matches!(error(b().masked_u8(0, 0, 0)), FilterError::Mask { atom: 0, .. }));
    assert!(matches!(error(b().eq_bytes(0, &[0; 17])), FilterError::Width { atom: 0, width: 17 }));
    assert!(matches!(error(b().eq_bytes(0, &[])), FilterError::Width { atom: 0, width: 0 }));
    assert!(matches!(error(b().masked_bytes(0, &[1], &[1, 2])), FilterError::MaskWidth { atom: 0, width: 2, mask: 1 }));
    assert!(matches!(error(b().shift(0, 1, 17)), FilterError::ShiftTooFar { atom: 0, left: 17, .. }));
    assert!(matches!(
        error(b().record(1, 0, &[1]).record(1, 2, &[1])),
        FilterError::SecondStateful { atom: 1, first: 0 }
    ));
    let many = (0..64).fold(b(), |builder, n| builder.eq_u8(n, 0));
    assert_eq!(error(many), FilterError::TooMany { atoms: 64 });
    let shifts = (0..8).fold(b(), |builder, _| builder.shift(0, 1, 0));
    assert_eq!(error(shifts), FilterError::TooManyShifts { atom: 7 });
    assert!(matches!(error(b().tcp()), FilterError::Helper { atom: 0, helper: "tcp" }));
    assert!(matches!(error(b().ipv4().tcp().dst_port(1).src_v4([1, 2, 3, 4].into(), 8)), FilterError::Helper { .. }));
    assert!(matches!(error(b().ipv4().src_v4([1, 2, 3, 4].into(), 33)), FilterError::Prefix { prefix: 33, .. }));
}

#[test]
fn bits_of_one_byte_may_be_tested_apart() {
    let filter = Filter::builder().masked_u8(0, 0xf0, 0x40).masked_u8(0, 0x0f, 0x05).build().unwrap();
    let mut c = Classifier::new().unwrap();
    let id = c.insert(filter).unwrap();
    assert_eq!((c.classify(&[0x45]).id(), c.classify(&[0x46]).id(), c.classify(&[]).id()), (Some(id), None, None));
}

#[test]
fn priority_then_atoms_then_age() {
    let mut c = Classifier::new().unwrap();
    let old = c.insert(Filter::builder().eq_u8(0, 1).build().unwrap()).unwrap();
    let young = c.insert(Filter::builder().eq_u8(1, 1).build().unwrap()).unwrap();
    assert_eq!(c.classify(&[1, 1]).id(), Some(old));
    let longer = c.insert(Filter::builder().eq_u8(0, 1).eq_u8(1, 1).build().unwrap()).unwrap();
    assert_eq!(c.classify(&[1, 1]).id(), Some(longer));
    let prior = c.insert(Filter::builder().eq_u8(2, 1).priority(1).build().unwrap()).unwrap();
    assert_eq!(c.classify(&[1, 1, 1]).id(), Some(prior));
    assert_eq!(c.classify_all(&[1, 1, 1]), [prior, longer, old, young]);
    let last = c.insert(Filter::builder().priority(i32::MIN).build().unwrap()).unwrap();
    assert_eq!(c.classify(&[]).id(), Some(last));
}

#[test]
fn an_identical_filter_is_refused_whatever_its_order_and_priority() {
    let mut c = Classifier::new().unwrap();
    let id = c.insert(Filter::builder().eq_u8(0, 1).advance(2).eq_u8(0, 2).build().unwrap()).unwrap();
    let again = c.insert(Filter::builder().eq_u8(2, 2).eq_u8(0, 1).priority(9).build().unwrap());
    assert!(matches!(again, Err(Error::Identical { id: other }) if other == id));
    assert_eq!(c.len(), 1);
    c.remove(id).unwrap();
    assert!(matches!(c.remove(id), Err(Error::NoSuchFilter { .. })));
    let new = c.insert(Filter::builder().eq_u8(2, 2).eq_u8(0, 1).build().unwrap()).unwrap();
    assert!(new > id);
}
