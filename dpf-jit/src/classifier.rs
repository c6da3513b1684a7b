//! [`Classifier`]: filters that come and go, and the code for them.

use tickc::{Jit, Tier};

use crate::code::program::Program;
use crate::error::Error;
use crate::filter::Filter;
use crate::trie::FilterSet;
use crate::trie::group::Member;
use crate::trie::interpret::Sink;
use crate::trie::set::Change;
use crate::verdict::{FilterId, ParkKey, Verdict};

/// Filters, and keys shared by them, that a classifier can hold unless told otherwise.
pub const DEFAULT_CAPACITY: usize = 1 << 20;
/// The most that it can be told to.
pub const MAX_CAPACITY: usize = (1 << 24) - 2;

/// Keys of datagrams that are remembered at the same time unless a classifier is told otherwise.
pub const DEFAULT_RECORDED: usize = 1 << 13;

/// Shapes that are compiled together unless a classifier is told otherwise.
pub const DEFAULT_SECTION: usize = 16;

/// Settings of a [`Classifier`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ClassifierBuilder {
    tier: Option<Tier>,
    capacity: usize,
    recorded: usize,
    section: usize,
}

impl ClassifierBuilder {
    /// Makes a classifier that threads share.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_shared(self) -> Result<crate::SharedClassifier, Error> {
        crate::SharedClassifier::from_parts(self.build()?.into_parts())
    }

    /// Which tier of `tickc` compiles.
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tier = Some(tier);
        self
    }

    /// How many filters there may be: 1 to [`MAX_CAPACITY`].
    pub fn capacity(mut self, filters: usize) -> Self {
        self.capacity = filters;
        self
    }

    /// For how many keys there is room that filters record, in pairs: 4 to [`MAX_CAPACITY`], [`DEFAULT_RECORDED`] unless told
    /// otherwise; rounded up to a power of two. Each takes 32 bytes, once a filter records or matches. A key is forgotten after 10
    /// seconds, or when two later ones have come to its pair: give a few times as many as there are datagrams whose fragments are
    /// under way at the same time, but not more than the cache has room for, as each head goes to another place of it.
    pub fn recorded(mut self, keys: usize) -> Self {
        self.recorded = keys;
        self
    }

    /// How many shapes of filters (the same atoms but for the values) are compiled together, at least 1, [`DEFAULT_SECTION`] unless told
    /// otherwise. To install a filter of a new shape takes some 3 µs for each of these, where the others are compiled already; but a packet
    /// takes some 10 to 30 cycles for each section that it goes through. (Filters of one shape may be divided into a few groups, which
    /// count as several. Where they come together, or one moves to another section, more than one section is compiled.)
    pub fn section(mut self, shapes: usize) -> Self {
        self.section = shapes;
        self
    }

    /// Makes the classifier.
    ///
    /// # Errors
    /// That there is no memory, or that code cannot be compiled here.
    pub fn build(self) -> Result<Classifier, Error> {
        let jit = match self.tier {
            Some(tier) => Jit::builder().tier(tier).build()?,
            None => Jit::new()?,
        };
        // Room beside the filters for widening and for keys that filters share.
        let capacity = self.capacity.clamp(1, MAX_CAPACITY) as u32;
        let set = FilterSet::new(capacity, self.recorded.clamp(4, MAX_CAPACITY), self.section.max(1));
        let program = Program::compile(&jit, &set, None)?;
        Ok(Classifier { jit, set, program, dirty: false })
    }
}

/// A set of filters, and the machine code that tells which of them a packet matches.
///
/// ```
/// use dpf_jit::{Classifier, Filter, Verdict};
///
/// let mut c = Classifier::new()?;
/// let web = c.insert(Filter::builder().ipv4().tcp().dst_port(80).build()?)?;
/// let mut frame = [0; 60];
/// frame[12..15].copy_from_slice(&[0x08, 0x00, 0x45]);
/// frame[23] = 6;
/// frame[36..38].copy_from_slice(&80u16.to_be_bytes());
/// assert_eq!(c.classify(&frame), Verdict::Match(web));
/// c.remove(web)?;
/// assert_eq!(c.classify(&frame), Verdict::NoMatch);
/// # Ok::<(), dpf_jit::Error>(())
/// ```
#[derive(Debug)]
pub struct Classifier {
    jit: Jit,
    set: FilterSet,
    program: Program,
    /// The program is not that of the set: compiling failed.
    dirty: bool,
}

impl Classifier {
    /// A classifier without filters.
    ///
    /// # Errors
    /// As [`ClassifierBuilder::build`].
    pub fn new() -> Result<Self, Error> {
        Classifier::builder().build()
    }

    /// The default settings, to be changed.
    pub fn builder() -> ClassifierBuilder {
        ClassifierBuilder {
            tier: None,
            capacity: DEFAULT_CAPACITY,
            recorded: DEFAULT_RECORDED,
            section: DEFAULT_SECTION,
        }
    }

    /// Installs a filter. From here on packets are classified by it.
    ///
    /// Cost: a store or two where filters of the same atoms, but for the values, are installed already; else the code of a
    /// [section](ClassifierBuilder::section) is compiled again, some 3 µs for each different shape in it.
    ///
    /// # Errors
    /// [`Error::Identical`] if a filter of the same atoms is installed, [`Error::Full`], [`Error::Compile`].
    pub fn insert(&mut self, filter: Filter) -> Result<FilterId, Error> {
        let (id, change) = self.set.insert(&filter)?;
        if let Err(error) = self.changed(change) {
            // The code is that of before, and so is the set.
            self.set.remove(id)?;
            self.dirty = true;
            return Err(error);
        }
        Ok(id)
    }

    /// Takes a filter out. No packet is classified by it any more.
    ///
    /// # Errors
    /// [`Error::NoSuchFilter`], [`Error::Compile`].
    pub fn remove(&mut self, id: FilterId) -> Result<(), Error> {
        let change = self.set.remove(id)?;
        self.changed(change)
    }

    fn changed(&mut self, change: Change) -> Result<(), Error> {
        if change == Change::Structure || self.dirty {
            self.dirty = true;
            self.program = Program::compile(&self.jit, &self.set, Some(&self.program))?;
            self.dirty = false;
        }
        if change != Change::Data {
            self.program.update_ranks(&self.set);
        }
        self.set.records_mut().reclaim_all();
        Ok(())
    }

    /// Which filter a packet matches: of several that of the highest priority, then that of most atoms, then the oldest.
    ///
    /// `frame` may have any length and content.
    #[inline(always)]
    #[must_use]
    pub fn classify(&self, frame: &[u8]) -> Verdict {
        self.program.verdict(self.program.answer(frame), frame)
    }

    /// The verdict of each frame, in turn. The first bytes of frames ahead are asked for early, so that several wait for memory
    /// at the same time: worth it where frames lie scattered, as in the buffers of a network card.
    ///
    /// # Panics
    /// If there are fewer places for verdicts than frames.
    pub fn classify_batch(&self, frames: &[&[u8]], verdicts: &mut [Verdict]) {
        assert!(verdicts.len() >= frames.len(), "{} verdicts for {} frames", verdicts.len(), frames.len());
        for (at, (frame, verdict)) in frames.iter().zip(verdicts).enumerate() {
            if let Some(ahead) = frames.get(at + AHEAD) {
                prefetch(ahead);
            }
            *verdict = self.classify(frame);
        }
    }

    /// Sets the time by which recorded keys are forgotten, in seconds since any moment; they live for 10 seconds.
    pub fn set_time(&self, seconds: u64) {
        self.program.set_time(seconds);
    }

    /// What the filter `id`, which `frame` matches, has recorded of it.
    pub(crate) fn recorded_key(&self, id: FilterId, frame: &[u8]) -> Option<ParkKey> {
        self.program.recorded_key(id, frame)
    }

    pub(crate) fn into_parts(self) -> (Jit, FilterSet) {
        (self.jit, self.set)
    }

    /// The trie as text: constants tested by the tree, and the groups of filters at its leaves.
    #[must_use]
    pub fn dump_trie(&self) -> String {
        self.set.dump()
    }

    /// All filters that a packet matches, the best first. Interpreted, not compiled; records nothing.
    #[must_use]
    pub fn classify_all(&self, frame: &[u8]) -> Vec<FilterId> {
        let mut all = All::default();
        self.set.interpret(frame, &mut all);
        all.best_first()
    }

    /// The verdict by interpretation of the trie: the same as [`classify`](Self::classify), slowly.
    #[must_use]
    pub fn interpret(&self, frame: &[u8]) -> Verdict {
        let mut all = All::default();
        self.set.interpret(frame, &mut all);
        match all.best_first().first() {
            Some(id) => {
                if id.records()
                    && let Some(state) = self.set.state()
                {
                    state.record(id.index(), self.set.recipes(), frame);
                }
                Verdict::Match(*id)
            }
            None => all.unrecorded.map_or(Verdict::NoMatch, Verdict::Park),
        }
    }

    /// Number of filters installed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether no filter is installed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The machine code, one instruction a line.
    #[must_use]
    pub fn disassemble(&self) -> String {
        self.program.disassemble()
    }
}

/// Frames between the one that is classified and the one that is asked for.
const AHEAD: usize = 8;

/// Asks for the first line of a frame.
#[inline(always)]
fn prefetch(frame: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code, reason = "a hint, for which any address will do")]
    // SAFETY: prefetching has no effect but on time.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(frame.as_ptr().cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = frame;
}

/// Collects what the interpreter finds.
#[derive(Default)]
struct All {
    members: Vec<Member>,
    unrecorded: Option<ParkKey>,
}

impl Sink for All {
    fn matched(&mut self, member: Member) {
        self.members.push(member);
    }

    fn unrecorded(&mut self, key: ParkKey) {
        self.unrecorded = Some(self.unrecorded.map_or(key, |other| other.min(key)));
    }
}

impl All {
    fn best_first(&mut self) -> Vec<FilterId> {
        self.members.sort_by_key(|member| (std::cmp::Reverse(member.rank), member.id));
        self.members.iter().filter_map(|member| FilterId::from_raw(member.id)).collect()
    }
}
