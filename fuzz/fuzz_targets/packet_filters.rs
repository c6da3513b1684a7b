//! Filters come and go, and packets between them: the naive list, the trie's interpreter and the compiled code say the same.
#![no_main]

use arbitrary::Arbitrary;
use dpf_jit::{Atom, Classifier, Error, Field, Filter, FilterId, Naive};
use libfuzzer_sys::fuzz_target;

/// Fields near each other, so that filters share and overlap; what does not fit is refused when the filter is built.
#[derive(Arbitrary, Debug)]
enum Part {
    Eq { offset: u8, width: u8, mask: u128, value: u8 },
    Range { offset: u8, width: u8, low: u8, more: u8 },
    Shift { offset: u8, mask: u8, left: u8 },
    Advance { bytes: u8 },
    Record { channel: u8, offset: u8, width: u8 },
    MatchRecorded { channel: u8, offset: u8, width: u8 },
}

impl Part {
    fn atom(&self) -> Atom {
        let field = |offset: u8, width: u8| Field { offset: u32::from(offset % 24), width: 1 + width % 16 };
        match *self {
            Part::Eq { offset, width, mask, value } => {
                let field = field(offset, width);
                let mask = mask & field.ones();
                Atom::Eq { field, mask, value: u128::from(value % 4) & mask }
            }
            Part::Range { offset, width, low, more } => {
                let field = field(offset, width % 8);
                let low = u64::from(low % 4);
                Atom::Range { field, mask: field.ones() as u64, low, high: low + u64::from(more % 4) }
            }
            Part::Shift { offset, mask, left } => {
                Atom::Shift { field: field(offset, 0), mask: u32::from(mask), left: left % 4 }
            }
            Part::Advance { bytes } => Atom::Advance { bytes: u32::from(bytes % 8) },
            Part::Record { channel, offset, width } => {
                let field = field(offset, width);
                Atom::Record { channel: u32::from(channel % 3), field, mask: field.ones() }
            }
            Part::MatchRecorded { channel, offset, width } => {
                let field = field(offset, width);
                Atom::MatchRecorded { channel: u32::from(channel % 3), field, mask: field.ones() }
            }
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    Insert { parts: Vec<Part>, priority: i8 },
    Remove(usize),
    Classify(Vec<u8>),
}

fn filter(parts: &[Part], priority: i8) -> Option<Filter> {
    let builder = Filter::builder().priority((priority % 3).into());
    parts.iter().take(8).fold(builder, |builder, part| builder.atom(part.atom())).build().ok()
}

fuzz_target!(|steps: Vec<Step>| {
    let mut classifier = Classifier::new().expect("code can be compiled here");
    let mut naive = Naive::new();
    let mut installed: Vec<FilterId> = Vec::new();
    for step in steps {
        match step {
            Step::Insert { parts, priority } => {
                let Some(filter) = filter(&parts, priority) else { continue };
                let same = naive.identical(&filter);
                match classifier.insert(filter.clone()) {
                    Ok(id) => {
                        assert_eq!(same, None);
                        naive.insert(id, filter);
                        installed.push(id);
                    }
                    Err(Error::Identical { id }) => assert_eq!(same, Some(id)),
                    Err(Error::TooManySites { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Remove(which) if !installed.is_empty() => {
                let id = installed.swap_remove(which % installed.len());
                assert!(classifier.remove(id).is_ok() && naive.remove(id));
            }
            Step::Remove(_) => {}
            Step::Classify(packet) => {
                // Its memory ends where the packet does.
                let packet = packet.into_boxed_slice();
                assert_eq!(classifier.classify_all(&packet), naive.classify_all(&packet));
                assert_eq!(classifier.interpret(&packet), naive.classify(&packet));
                // Again: it may match what it has recorded itself.
                assert_eq!(classifier.classify(&packet), naive.classify(&packet));
            }
        }
    }
});
