//! [`Program`]: compiled code, with all that it reads.
#![allow(unsafe_code, reason = "calls compiled code by its address")]

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tickc::{Func, Jit};

use super::emit::{self, Classify};
use super::plan::Plan;
use crate::error::Error;
use crate::state::{Recipe, State};
use crate::table::index::Slots;
use crate::trie::FilterSet;
use crate::verdict::{Datagram, FilterId, PARK, ParkKey, STATEFUL, Verdict, parked_digit};

/// The code for a structure of filters. What changes in the tables of that structure it sees at once.
#[derive(Debug)]
pub(crate) struct Program {
    code: Func<Classify>,
    /// The code as a pointer, unless it is interpreted.
    entry: Option<unsafe extern "C" fn(*const u8, usize) -> u64>,
    /// Where each group stands in the code.
    leaves: Vec<u32>,
    /// By leaf: the best rank of all leaves behind it. Never less than that, so that no match is missed.
    later: Box<[AtomicU64]>,
    recipes: Arc<Vec<Recipe>>,
    state: Option<Arc<State>>,
    /// Kept because the code has their addresses.
    _tables: Vec<Arc<Slots>>,
}

impl Program {
    /// Compiles the filters of `set`.
    pub(crate) fn compile(jit: &Jit, set: &FilterSet) -> Result<Program, Error> {
        let plan = Plan::new(set);
        let later: Box<[AtomicU64]> = plan.leaves.iter().map(|_| AtomicU64::new(0)).collect();
        let groups = || plan.leaves.iter().map(|&group| set.group(group));
        let aside = RefCell::default();
        let code = jit.compile(emit::function(set, &plan.root, &later, &aside))?;
        let tables = groups().flat_map(|group| &group.tables).map(|table| table.index().slots().clone()).collect();
        let program = Program {
            entry: code.as_pointer(),
            code,
            leaves: plan.leaves,
            later,
            recipes: set.recipes().clone(),
            state: set.state().cloned(),
            _tables: tables,
        };
        program.update_ranks(set);
        Ok(program)
    }

    /// Brings up to date what better matches may follow each leaf. Cost: proportional to the number of groups.
    pub(crate) fn update_ranks(&self, set: &FilterSet) {
        let mut best = 0;
        for (leaf, later) in self.leaves.iter().zip(&self.later).rev() {
            later.store(best, Ordering::Release);
            best = best.max(set.group(*leaf).max_rank);
        }
    }

    /// Which filter a packet matches, in the words of the code: see [`verdict`](Self::verdict).
    #[inline(always)]
    pub(crate) fn answer(&self, packet: &[u8]) -> u64 {
        match self.entry {
            // SAFETY: `code` keeps the machine code, and the packet is one.
            Some(entry) => unsafe { entry(packet.as_ptr(), packet.len()) },
            None => self.interpreted(packet),
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

    #[cold]
    fn interpreted(&self, packet: &[u8]) -> u64 {
        self.code.call(packet.as_ptr(), packet.len())
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

    pub(crate) fn code(&self) -> &Func<Classify> {
        &self.code
    }
}
