//! Random filters and packets: the naive list, the trie's interpreter and the compiled code of each tier say the same, after any
//! sequence of insertions and removals.

use dpf_jit::{Atom, Classifier, DEFAULT_SECTION, Error, Field, Filter, FilterId, Naive, Verdict};
use proptest::prelude::*;
use tickc::Tier;

/// Few places and values, so that filters share, overlap and match.
fn atom() -> impl Strategy<Value = Atom> {
    let width = prop_oneof![Just(1u8), Just(2), Just(4), Just(8), Just(3), Just(16)];
    let field = (0u32..20, width).prop_map(|(offset, width)| Field { offset, width });
    let ones = |field: Field| if field.width == 16 { u128::MAX } else { (1u128 << (8 * field.width)) - 1 };
    let bits = prop_oneof![Just(0u128), Just(1), Just(0x0101), Just(u128::MAX), any::<u128>()];
    let small = prop_oneof![6 => 0u128..4, 1 => Just(0x0102_0301_0203u128)];
    prop_oneof![
        8 => (field.clone(), bits.clone(), small.clone(), any::<bool>()).prop_map(move |(field, bits, value, whole)| {
            let mask = if whole { ones(field) } else { bits & ones(field) | 1 };
            Atom::Eq { field, mask, value: value & mask }
        }),
        2 => (0u32..20, prop_oneof![Just(1u8), Just(2), Just(4)], 0u64..3, 0u64..4).prop_map(|(offset, width, low, more)| {
            Atom::Range { field: Field { offset, width }, mask: (1 << (8 * width)) - 1, low, high: low + more }
        }),
        1 => (0u32..20, 0u32..4, 0u8..3).prop_map(|(offset, mask, left)| {
            Atom::Shift { field: Field { offset, width: 1 }, mask: mask + 1, left }
        }),
        1 => (0u32..4).prop_map(|bytes| Atom::Advance { bytes }),
        1 => (0u32..3, 0u32..8, prop_oneof![Just(2u8), Just(9)]).prop_map(|(channel, offset, width)| {
            Atom::Record { channel, field: Field { offset, width }, mask: 0xffff }
        }),
        1 => (0u32..3, 0u32..8, prop_oneof![Just(2u8), Just(9)]).prop_map(|(channel, offset, width)| {
            Atom::MatchRecorded { channel, field: Field { offset, width }, mask: 0xffff }
        }),
    ]
}

/// A filter: what of the atoms fits together.
fn filter() -> impl Strategy<Value = Filter> {
    (prop::collection::vec(atom(), 0..6), prop_oneof![3 => Just(0), 1 => -2i32..3]).prop_map(|(atoms, priority)| {
        let mut builder = Filter::builder().priority(priority);
        for atom in atoms {
            let more = builder.clone().atom(atom);
            if more.clone().build().is_ok() {
                builder = more;
            }
        }
        builder.build().expect("each step was valid")
    })
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Filter),
    /// Like an earlier one but for the value of one atom.
    Vary(usize, usize, u128),
    Remove(usize),
    Classify(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let byte = prop_oneof![6 => 0u8..4, 1 => any::<u8>()];
    prop_oneof![
        3 => filter().prop_map(Step::Insert),
        5 => (any::<usize>(), any::<usize>(), 0u128..6).prop_map(|(a, b, v)| Step::Vary(a, b, v)),
        3 => any::<usize>().prop_map(Step::Remove),
        6 => prop::collection::vec(byte, 0..48).prop_map(Step::Classify),
    ]
}

fn varied(filter: &Filter, at: usize, new: u128) -> Option<Filter> {
    let mut builder = Filter::builder().priority(filter.priority());
    let at = at % filter.atoms().len().max(1);
    for (number, atom) in filter.atoms().iter().enumerate() {
        let mut atom = *atom;
        if let (Atom::Eq { mask, value, .. }, true) = (&mut atom, number == at) {
            *value = new & *mask;
        }
        if let (Atom::MatchRecorded { channel, .. }, true) = (&mut atom, number == at) {
            *channel = new as u32;
        }
        builder = builder.atom(atom);
    }
    builder.build().ok()
}

struct Both {
    classifier: Classifier,
    naive: Naive,
    installed: Vec<(FilterId, Filter)>,
}

impl Both {
    fn insert(&mut self, filter: Filter) -> Result<(), TestCaseError> {
        let expected = self.naive.identical(&filter);
        match self.classifier.insert(filter.clone()) {
            Ok(id) => {
                prop_assert_eq!(expected, None, "{} is installed already", filter);
                self.naive.insert(id, filter.clone());
                self.installed.push((id, filter));
            }
            Err(Error::Identical { id }) => prop_assert_eq!(expected, Some(id)),
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
        Ok(())
    }

    fn check(&mut self, packet: &[u8]) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.classifier.classify_all(packet), self.naive.classify_all(packet), "{:?}", packet);
        // A copy that ends where its memory does.
        let packet = packet.to_vec().into_boxed_slice();
        let expected = self.naive.classify(&packet);
        prop_assert_eq!(self.classifier.interpret(&packet), expected, "interpreted {:?}", packet);
        // Again: what the packet has recorded may be matched by itself.
        let expected = self.naive.classify(&packet);
        prop_assert_eq!(self.classifier.classify(&packet), expected, "compiled {:?}", packet);
        let expected = [self.naive.classify(&packet), self.naive.classify(&packet)];
        let mut verdicts = [Verdict::NoMatch; 2];
        self.classifier.classify_batch(&[&packet, &packet], &mut verdicts);
        prop_assert_eq!(verdicts, expected, "in a batch {:?}", packet);
        Ok(())
    }
}

/// The default mostly; that of Cranelift takes long.
fn tier() -> impl Strategy<Value = Tier> {
    prop_oneof![6 => Just(Tier::LinearScan), 3 => Just(Tier::OnePass), 3 => Just(Tier::Interp), 1 => Just(Tier::Cranelift)]
}

fn run(tier: Tier, section: usize, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let classifier = Classifier::builder().tier(tier).section(section).build();
    let classifier = classifier.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let mut both = Both { classifier, naive: Naive::new(), installed: Vec::new() };
    for step in steps {
        match step {
            Step::Insert(filter) => both.insert(filter)?,
            Step::Vary(which, at, value) if !both.installed.is_empty() => {
                let (_, filter) = &both.installed[which % both.installed.len()];
                if let Some(filter) = varied(filter, at, value) {
                    both.insert(filter)?;
                }
            }
            Step::Remove(which) if !both.installed.is_empty() => {
                let (id, _) = both.installed.swap_remove(which % both.installed.len());
                prop_assert!(both.classifier.remove(id).is_ok());
                let again = both.classifier.remove(id);
                prop_assert!(matches!(again, Err(Error::NoSuchFilter { .. })), "removed twice");
                prop_assert!(both.naive.remove(id));
            }
            Step::Classify(packet) => both.check(&packet)?,
            _ => {}
        }
        prop_assert_eq!(both.classifier.len(), both.installed.len());
    }
    for (_, filter) in both.installed.clone() {
        both.check(&packet_for(&filter))?;
    }
    for (id, _) in std::mem::take(&mut both.installed) {
        prop_assert!(both.classifier.remove(id).is_ok() && both.naive.remove(id));
        both.check(&[0; 48])?;
    }
    prop_assert_eq!(both.classifier.classify(&[1; 48]), Verdict::NoMatch);
    Ok(())
}

/// A packet that the filter's first level likes.
fn packet_for(filter: &Filter) -> Vec<u8> {
    let mut packet = vec![0u8; 64];
    for atom in filter.atoms() {
        match *atom {
            Atom::Eq { field, value, .. } => {
                for i in 0..field.width {
                    packet[(field.offset + u32::from(i)) as usize] |= (value >> (8 * (field.width - 1 - i))) as u8;
                }
            }
            Atom::Range { field, low, .. } => packet[field.end() as usize - 1] |= low as u8,
            _ => break,
        }
    }
    packet
}

fn cases() -> u32 {
    std::env::var("DPF_RANDOM_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn naive_interpreted_and_compiled_agree(
        tier in tier(),
        section in prop_oneof![2 => 1..6usize, 1 => Just(DEFAULT_SECTION)],
        steps in prop::collection::vec(step(), 0..60),
    ) {
        run(tier, section, steps)?;
    }
}
