//! [`Program`]: compiled code, with all that it reads.
//!
//! Usually one function. Where there are more groups than fit a section, there is one for each section, and packets go through them in
//! turn: those that did not change are taken over from the program before.
#![allow(unsafe_code, reason = "calls compiled code by its address")]

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;
use tickc::{Func, Jit};

use super::emit::{self, Classify, ClassifyOn, KEPT};
use super::plan::Plan;
use crate::error::Error;
use crate::filter::Rank;
use crate::state::{Recipe, State};
use crate::table::index::Slots;
use crate::trie::FilterSet;
use crate::trie::set;
use crate::verdict::{Datagram, FilterId, PARK, ParkKey, STATEFUL, Verdict, parked_digit};

/// The code for a structure of filters. What changes in the tables of that structure it sees at once.
#[derive(Debug)]
pub(crate) struct Program {
    /// The code as a pointer, if it is that of all filters and not interpreted.
    entry: Option<unsafe extern "C" fn(*const u8, usize) -> u64>,
    sections: Vec<Arc<Section>>,
    recipes: Arc<Vec<Recipe>>,
    state: Option<Arc<State>>,
}

/// The code for the filters of a section.
#[derive(Debug)]
struct Section {
    code: Code,
    /// The code as a pointer, if it is one of several sections and not interpreted.
    entry: Option<unsafe extern "C" fn(*const u8, usize, *mut u64) -> u64>,
    /// Of the section that it was made of.
    version: u64,
    /// Where each group stands in the code.
    leaves: Vec<u32>,
    /// By leaf: the best rank of all leaves behind it, in other sections, too. Never less than that in any program that has the section
    /// and is in use, so that no match is missed.
    later: Box<[AtomicU64]>,
    /// Kept because the code has their addresses.
    _tables: Vec<Arc<Slots>>,
}

#[derive(Debug)]
enum Code {
    /// Of the only section.
    Whole(Func<Classify>),
    /// Of one among several.
    Part(Func<ClassifyOn>),
}

impl Section {
    fn compile(jit: &Jit, set: &FilterSet, section: &set::Section, is_whole: bool) -> Result<Section, Error> {
        let plan = Plan::new(set, section);
        let later: Box<[AtomicU64]> = plan.leaves.iter().map(|_| AtomicU64::new(0)).collect();
        let groups = || plan.leaves.iter().map(|&group| set.group(group));
        let aside = RefCell::default();
        let (code, entry) = if is_whole {
            (Code::Whole(jit.compile(emit::function(set, &plan.root, &later, &aside))?), None)
        } else {
            let code = jit.compile(emit::function_on(set, &plan.root, &later, &aside))?;
            let entry = code.as_pointer();
            (Code::Part(code), entry)
        };
        let tables = groups().flat_map(|group| &group.tables).map(|table| table.index().slots().clone()).collect();
        Ok(Section { code, entry, version: section.version, leaves: plan.leaves, later, _tables: tables })
    }

    fn is_whole(&self) -> bool {
        matches!(self.code, Code::Whole(_))
    }
}

impl Program {
    /// Compiles the filters of `set`, but for the sections that `before` has already. When nothing goes on that began with the program
    /// before, [`update_ranks`](Self::update_ranks) is due: until then sections of both have what either needs.
    pub(crate) fn compile(jit: &Jit, set: &FilterSet, before: Option<&Program>) -> Result<Program, Error> {
        let is_whole = set.sections().count() == 1;
        let done: FxHashMap<u64, &Arc<Section>> = before
            .iter()
            .flat_map(|program| &program.sections)
            .filter(|done| done.is_whole() == is_whole)
            .map(|done| (done.version, done))
            .collect();
        let one = |section: &set::Section| match done.get(&section.version) {
            Some(done) => Ok(Arc::clone(done)),
            None => Section::compile(jit, set, section, is_whole).map(Arc::new),
        };
        let sections: Vec<Arc<Section>> = set.sections().map(one).collect::<Result<_, Error>>()?;
        let entry = match &sections[0].code {
            Code::Whole(code) => code.as_pointer(),
            Code::Part(_) => None,
        };
        let program = Program { entry, sections, recipes: set.recipes().clone(), state: set.state().cloned() };
        program.for_ranks(set, |later, best| {
            later.fetch_max(best, Ordering::Release);
        });
        Ok(program)
    }

    /// Brings up to date what better matches may follow each leaf. Cost: proportional to the number of groups.
    pub(crate) fn update_ranks(&self, set: &FilterSet) {
        self.for_ranks(set, |later, best| later.store(best, Ordering::Release));
    }

    fn for_ranks(&self, set: &FilterSet, mut each: impl FnMut(&AtomicU64, Rank)) {
        let mut best = 0;
        for section in self.sections.iter().rev() {
            for (leaf, later) in section.leaves.iter().zip(&section.later).rev() {
                each(later, best);
                best = best.max(set.group(*leaf).max_rank);
            }
        }
    }

    /// Which filter a packet matches, in the words of the code: see [`verdict`](Self::verdict).
    #[inline(always)]
    pub(crate) fn answer(&self, packet: &[u8]) -> u64 {
        match self.entry {
            // SAFETY: the only section keeps the machine code, and the packet is one.
            Some(entry) => unsafe { entry(packet.as_ptr(), packet.len()) },
            None => self.in_turn(packet),
        }
    }

    /// What an answer means. Records what the filter records.
    #[inline(always)]
    pub(crate) fn verdict(&self, answer: u64, packet: &[u8]) -> Verdict {
        // Tested first, because it never holds where nothing is recorded: what is left needs no branch.
        if Program::is_stateful(answer) {
            return self.with_state(answer, packet);
        }
        Program::plain_verdict(answer)
    }

    /// Whether an answer takes more than itself to become a verdict.
    #[inline(always)]
    pub(crate) fn is_stateful(answer: u64) -> bool {
        answer & STATEFUL != 0
    }

    /// What any other answer means.
    #[inline(always)]
    pub(crate) fn plain_verdict(answer: u64) -> Verdict {
        FilterId::from_raw(answer).map_or(Verdict::NoMatch, Verdict::Match)
    }

    /// Sets the time by which recorded keys are forgotten.
    pub(crate) fn set_time(&self, seconds: u64) {
        if let Some(state) = &self.state {
            state.recorded.set_time(seconds);
        }
    }

    /// What a filter records of a packet.
    pub(crate) fn recorded_key(&self, id: FilterId, packet: &[u8]) -> Option<ParkKey> {
        self.state.as_ref()?.recorded_key(id.index(), &self.recipes, packet)
    }

    /// By all sections, one after the other.
    #[inline(never)]
    fn in_turn(&self, packet: &[u8]) -> u64 {
        let mut kept = [0; KEPT];
        for section in &self.sections {
            let answer = match (section.entry, &section.code) {
                // SAFETY: the section keeps the machine code; the packet is one, and the words are as many as it wants.
                (Some(entry), _) => unsafe { entry(packet.as_ptr(), packet.len(), kept.as_mut_ptr()) },
                (None, Code::Part(code)) => code.call(packet.as_ptr(), packet.len(), kept.as_mut_ptr()),
                (None, Code::Whole(code)) => return code.call(packet.as_ptr(), packet.len()),
            };
            if answer != 0 {
                return answer;
            }
        }
        let [best, _, parked] = kept;
        if best != 0 || parked == 0 { best } else { parked | PARK }
    }

    #[cold]
    fn with_state(&self, answer: u64, packet: &[u8]) -> Verdict {
        match (FilterId::from_raw(answer), &self.state) {
            (Some(id), Some(state)) if answer & PARK == 0 => {
                state.record(id.index(), &self.recipes, packet);
                Verdict::Match(id)
            }
            _ => self.park(answer, packet),
        }
    }

    #[cold]
    fn park(&self, answer: u64, packet: &[u8]) -> Verdict {
        let missing = self.recipes.iter().enumerate().filter(|(number, _)| answer >> parked_digit(*number) & 1 == 1);
        let least = missing.filter_map(|(_, recipe)| recipe.key(packet)).map(Datagram::park_key).min();
        least.map_or(Verdict::NoMatch, Verdict::Park)
    }

    /// The machine code, an empty line between sections.
    pub(crate) fn disassemble(&self) -> String {
        let one = |section: &Arc<Section>| match &section.code {
            Code::Whole(code) => code.disassemble(),
            Code::Part(code) => code.disassemble(),
        };
        self.sections.iter().map(one).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;

    /// Until the program before has gone, sections that both have go on as it needs them, though a group that may follow them has moved
    /// to the front.
    #[test]
    fn the_program_before_answers_as_before() {
        let jit = Jit::new().unwrap();
        let mut set = FilterSet::new(1000, 16, 4);
        // Three sections, of four, four, and two.
        let filter = |n: usize| Filter::builder().eq_u8(n, 1).priority(i32::from(n == 8)).build().unwrap();
        let ids: Vec<FilterId> = (0..10).map(|n| set.insert(&filter(n)).unwrap().0).collect();
        for id in &ids[..3] {
            set.remove(*id).unwrap();
        }
        let before = Program::compile(&jit, &set, None).unwrap();
        // What is left of the first section and the third comes together in the first; the second stays.
        set.remove(ids[9]).unwrap();
        let after = Program::compile(&jit, &set, Some(&before)).unwrap();
        assert!(after.sections.len() == 2 && Arc::ptr_eq(&before.sections[1], &after.sections[1]));
        let (packet, best) = ([0, 0, 0, 0, 1, 1, 1, 1, 1], ids[8]);
        assert_eq!([&before, &after].map(|program| program.answer(&packet)), [best.raw(); 2]);
        after.update_ranks(&set);
        assert_eq!(after.answer(&packet), best.raw());
    }

    #[test]
    fn sections_that_did_not_change_are_taken_over() {
        let jit = Jit::new().unwrap();
        let mut set = FilterSet::new(1000, 16, 4);
        // Of one shape each.
        let filter = |n: usize| Filter::builder().eq_u8(n, 1).build().unwrap();
        let ids: Vec<FilterId> = (0..10).map(|n| set.insert(&filter(n)).unwrap().0).collect();
        let before = Program::compile(&jit, &set, None).unwrap();
        let new_ones = |program: &Program| {
            let old = |section: &&Arc<Section>| before.sections.iter().any(|old| Arc::ptr_eq(old, section));
            program.sections.iter().filter(|section| !old(section)).count()
        };
        assert_eq!(before.sections.len(), 3);
        set.insert(&filter(10)).unwrap();
        let after = Program::compile(&jit, &set, Some(&before)).unwrap();
        assert_eq!((after.sections.len(), new_ones(&after)), (3, 1));
        for id in &ids[..3] {
            set.remove(*id).unwrap();
        }
        let after = Program::compile(&jit, &set, Some(&before)).unwrap();
        assert_eq!((after.sections.len(), new_ones(&after)), (3, 2));
        // What is left of sections that have shrunk comes together; as soon as there is only one, that is all of the code.
        for id in &ids[3..9] {
            set.remove(*id).unwrap();
        }
        let after = Program::compile(&jit, &set, Some(&after)).unwrap();
        assert_eq!(after.sections.iter().map(|section| section.is_whole()).collect::<Vec<_>>(), [true]);
        assert_eq!(set.len(), 2);
        assert!(after.entry.is_some());
    }
}
