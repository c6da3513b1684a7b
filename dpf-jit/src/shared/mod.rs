//! [`SharedClassifier`]: any number of readers, and writers that publish each change at once.
//!
//! Readers take no lock and never wait. A change that a table takes in place becomes visible by one store; one of structure by
//! the store of the pointer to other code, which has what does not change in common with the code before. After each change a version number is moved on, and a packet during whose
//! classification it moved is classified again: several lookups for one packet could have seen a later change and not an
//! earlier one. What is replaced is freed when the last reader has left it ([`epoch`]).

mod epoch;

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tickc::Jit;

use crate::code::program::Program;
use crate::error::Error;
use crate::filter::Filter;
use crate::trie::FilterSet;
use crate::trie::set::Change;
use crate::verdict::{FilterId, ParkKey, Verdict};
use epoch::{Limbo, Published, Retired, Slot};

/// Retired programs, or batches of records, with which it is worth to ask whether readers have left them.
const COLLECT: usize = 8;
/// Freed records that are retired together.
const BATCH: usize = 128;

/// A classifier that many threads use and change at the same time. Clones share the filters.
///
/// ```
/// use dpf_jit::{Filter, SharedClassifier, Verdict};
///
/// let c = SharedClassifier::new()?;
/// let reader = c.reader();
/// let other = std::thread::spawn(move || reader.classify(&[0; 60]));
/// let id = c.insert(Filter::builder().eq_u16(12, 0).build()?)?;
/// assert!([Verdict::NoMatch, Verdict::Match(id)].contains(&other.join().unwrap()));
/// assert_eq!(c.classify(&[0; 60]), Verdict::Match(id));
/// # Ok::<(), dpf_jit::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SharedClassifier {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    program: Published<Program>,
    /// How many changes there have been.
    version: AtomicU64,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    jit: Jit,
    set: FilterSet,
    limbo: Limbo<Garbage>,
    /// The program is not that of the set: compiling failed.
    dirty: bool,
}

#[derive(Debug)]
enum Garbage {
    Program { _retired: Retired<Program> },
    Records(Vec<u32>),
}

impl Inner {
    fn writer(&self) -> MutexGuard<'_, Writer> {
        // A panic while changing would be a bug of ours; what it leaves is no worse for being used.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes a change, and frees what nobody looks at any more.
    fn changed(&self, writer: &mut Writer, change: Change) -> Result<(), Error> {
        if change == Change::Structure || writer.dirty {
            writer.dirty = true;
            let program = self.program.read_here(|before| Program::compile(&writer.jit, &writer.set, Some(before)))?;
            let old = self.program.replace(program);
            writer.dirty = false;
            writer.limbo.retire(Garbage::Program { _retired: old });
        } else if change == Change::Rank {
            self.program.read_here(|program| program.update_ranks(&writer.set));
        }
        self.version.fetch_add(1, Ordering::Release);
        if change == Change::Structure {
            // Lowered only now: who sees that in code of before sees that there is another version, too.
            self.program.read_here(|program| program.update_ranks(&writer.set));
        }
        if writer.set.records_mut().in_limbo() >= BATCH {
            let records = writer.set.records_mut().take_limbo();
            writer.limbo.retire(Garbage::Records(records));
        }
        if writer.limbo.len() >= COLLECT {
            for garbage in writer.limbo.collect() {
                if let Garbage::Records(records) = garbage {
                    writer.set.records_mut().reclaim(records);
                }
            }
        }
        Ok(())
    }

    /// Classifies, in a slot or that of this thread, until there was no change meanwhile.
    ///
    /// The version is read before the pointer to the program; otherwise the program could be one that misses changes,
    /// unnoticed. Only the answer's word leaves the innermost function: verdicts are large.
    #[inline(always)]
    fn classify(&self, frame: &[u8], slot: Option<&Slot>) -> Verdict {
        let mut stateful = None;
        loop {
            let version = self.version.load(Ordering::Acquire);
            let mut changed = false;
            let once = |program: &Program| {
                let answer = program.answer(frame);
                changed = self.version.load(Ordering::Acquire) != version;
                if Program::is_stateful(answer) && !changed {
                    stateful = Some(program.verdict(answer, frame));
                }
                answer
            };
            let answer = match slot {
                Some(slot) => self.program.read(slot, once),
                None => self.program.read_here(once),
            };
            if !changed {
                return match stateful {
                    None => Program::plain_verdict(answer),
                    Some(verdict) => verdict,
                };
            }
        }
    }
}

impl SharedClassifier {
    /// A classifier without filters.
    ///
    /// # Errors
    /// As [`ClassifierBuilder::build`](crate::ClassifierBuilder::build).
    pub fn new() -> Result<Self, Error> {
        SharedClassifier::from_parts(crate::Classifier::new()?.into_parts())
    }

    pub(crate) fn from_parts((jit, set): (Jit, FilterSet)) -> Result<Self, Error> {
        let program = Published::new(Program::compile(&jit, &set, None)?);
        let writer = Mutex::new(Writer { jit, set, limbo: Limbo::new(), dirty: false });
        Ok(SharedClassifier { inner: Arc::new(Inner { program, version: AtomicU64::new(0), writer }) })
    }

    /// Installs a filter. When this returns, every classification that begins is by it. Writers wait for each other, not for
    /// readers.
    ///
    /// # Errors
    /// As [`Classifier::insert`](crate::Classifier::insert).
    pub fn insert(&self, filter: Filter) -> Result<FilterId, Error> {
        let mut writer = self.inner.writer();
        let (id, change) = writer.set.insert(&filter)?;
        if let Err(error) = self.inner.changed(&mut writer, change) {
            writer.set.remove(id)?;
            return Err(error);
        }
        Ok(id)
    }

    /// Takes a filter out. When this returns, no classification that begins is by it.
    ///
    /// # Errors
    /// As [`Classifier::remove`](crate::Classifier::remove).
    pub fn remove(&self, id: FilterId) -> Result<(), Error> {
        let mut writer = self.inner.writer();
        let change = writer.set.remove(id)?;
        self.inner.changed(&mut writer, change)
    }

    /// A reader, for one thread: the fastest way to classify.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { inner: self.inner.clone(), slot: epoch::register(), one_thread: PhantomData }
    }

    /// Which filter a packet matches, as [`Classifier::classify`](crate::Classifier::classify) says. Takes no lock.
    #[must_use]
    pub fn classify(&self, frame: &[u8]) -> Verdict {
        self.inner.classify(frame, None)
    }

    /// Sets the time by which recorded keys are forgotten, in seconds since any moment.
    pub fn set_time(&self, seconds: u64) {
        self.inner.program.read_here(|program| program.set_time(seconds));
    }

    /// What the filter `id`, which `frame` matches, has recorded of it.
    pub(crate) fn recorded_key(&self, id: FilterId, frame: &[u8]) -> Option<ParkKey> {
        self.inner.program.read_here(|program| program.recorded_key(id, frame))
    }

    /// Number of filters installed. Waits for writers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.writer().set.len()
    }

    /// Whether no filter is installed. Waits for writers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Classifies in one thread; made by [`SharedClassifier::reader`]. May be sent to another thread, but not shared.
#[derive(Debug)]
pub struct Reader {
    inner: Arc<Inner>,
    slot: Arc<Slot>,
    /// Not `Sync`: the slot is one thread's at a time.
    one_thread: PhantomData<Cell<()>>,
}

impl Reader {
    /// Which filter a packet matches, as [`Classifier::classify`](crate::Classifier::classify) says. Takes no lock and never
    /// waits.
    #[inline(always)]
    #[must_use]
    pub fn classify(&self, frame: &[u8]) -> Verdict {
        self.inner.classify(frame, Some(&self.slot))
    }
}
