//! [`Group`]: functions that call each other, declared before they are defined.
//!
//! Calls between them go through *cells*: one word per function, which holds the address of its entry once all are compiled.
//!
//! ```text
//!   Func (handle) ──keeps──► Members ──owns──► code of even, code of odd ──keep──► Cells
//!     entry = that of even                        calls go through the cells: no owner, so no cycle
//! ```

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::emit::{Keep, Source};
use crate::error::Error;
use crate::fragment::{Lift, Staged};
use crate::func::Func;
use crate::jit::Jit;
use crate::signature::Signature;

/// Number of the next group.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What the functions of a group know of each other while they are compiled.
pub(crate) struct Cells {
    /// Number of the group.
    group: u64,
    /// Addresses of the entries.
    entries: Box<[AtomicUsize]>,
    defined: Box<[bool]>,
}

impl Cells {
    /// Address of the cell of a function.
    ///
    /// # Errors
    /// [`Error::OtherGroup`], [`Error::NotDefined`].
    pub(crate) fn cell(&self, id: DeclaredId, used: Source) -> Result<u64, Error> {
        let DeclaredId { group, index, declared } = id;
        if group != self.group {
            return Err(Error::OtherGroup { declared, used });
        }
        if !self.defined[index] {
            return Err(Error::NotDefined { declared, used });
        }
        Ok((&raw const self.entries[index]).expose_provenance() as u64)
    }
}

/// A declared function, its signature forgotten.
#[derive(Clone, Copy)]
pub(crate) struct DeclaredId {
    group: u64,
    index: usize,
    pub(crate) declared: Source,
}

/// A function of a [`Group`] that has been declared: `$f(…)` calls it in the quotations of its group.
pub struct Declared<S> {
    pub(crate) id: DeclaredId,
    marker: PhantomData<fn() -> S>,
}

impl<S> Clone for Declared<S> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<S> Copy for Declared<S> {}
impl<S> fmt::Debug for Declared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Declared<{}>(at {})", std::any::type_name::<S>(), self.id.declared)
    }
}
impl<S: Signature> Lift for Declared<S> {}

/// A compiled function as its group holds it.
trait Member {
    fn entry(&self) -> usize;
    fn keep(&self) -> Keep;
    /// A handle that keeps the whole group alive.
    fn handle(&self, group: Keep) -> Result<Box<dyn Any>, Error>;
}
impl<S: Signature> Member for Func<S> {
    fn entry(&self) -> usize {
        self.cell_word()
    }
    fn keep(&self) -> Keep {
        Arc::new(self.clone())
    }
    fn handle(&self, group: Keep) -> Result<Box<dyn Any>, Error> {
        Ok(Box::new(self.kept_with(group)?))
    }
}

type Definition<'a> = Box<dyn FnOnce(&Jit, &Arc<Cells>) -> Result<Box<dyn Member>, Error> + 'a>;

struct Slot<'a> {
    declared: Source,
    definition: Option<(Source, Definition<'a>)>,
}

/// Functions that may call each other: declared first, then defined, compiled together, and freed together when no [`Func`] of any
/// of them is left.
///
/// ```
/// use tickc::prelude::*;
///
/// let mut group = Jit::new()?.group();
/// let even = group.declare::<fn(u64) -> bool>();
/// let odd = group.declare::<fn(u64) -> bool>();
/// group.define(even, tick!(|n: u64| -> bool { if n == 0 { true } else { $odd(n - 1) } }));
/// group.define(odd, tick!(|n: u64| -> bool { if n == 0 { false } else { $even(n - 1) } }));
/// let functions = group.compile()?;
/// let even = functions.get(even)?;
/// assert!(even.call(1000) && !even.call(1001));
/// # Ok::<(), tickc::Error>(())
/// ```
///
/// A call within a group is an indirect one, and checks that there is stack left, as every recursion does.
pub struct Group<'a> {
    jit: Jit,
    number: u64,
    slots: Vec<Slot<'a>>,
    /// The first wrong definition.
    error: Option<Error>,
}

impl fmt::Debug for Group<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let defined = self.slots.iter().filter(|slot| slot.definition.is_some()).count();
        write!(f, "Group({} declared, {defined} defined)", self.slots.len())
    }
}

impl<'a> Group<'a> {
    pub(crate) fn new(jit: Jit) -> Self {
        Group { jit, number: NEXT.fetch_add(1, Ordering::Relaxed), slots: Vec::new(), error: None }
    }

    /// Declares a function.
    #[track_caller]
    pub fn declare<S: Signature>(&mut self) -> Declared<S> {
        let declared = Location::caller();
        let id = DeclaredId { group: self.number, index: self.slots.len(), declared };
        self.slots.push(Slot { declared, definition: None });
        Declared { id, marker: PhantomData }
    }

    /// Defines a function that this group has declared. What is wrong with that, [`Group::compile`] reports.
    #[track_caller]
    pub fn define<S: Signature>(&mut self, function: Declared<S>, body: Staged<'a, S>) {
        let (at, declared) = (Location::caller(), function.id.declared);
        if function.id.group != self.number {
            self.error.get_or_insert(Error::OtherGroup { declared, used: at });
            return;
        }
        let slot = &mut self.slots[function.id.index];
        if let Some((first, _)) = slot.definition {
            self.error.get_or_insert(Error::DefinedTwice { declared, first, second: at });
            return;
        }
        let compile = move |jit: &Jit, cells: &Arc<Cells>| -> Result<Box<dyn Member>, Error> {
            Ok(Box::new(jit.compile_in_group(body, cells)?))
        };
        slot.definition = Some((at, Box::new(compile)));
    }

    /// Compiles all functions that have been defined.
    ///
    /// # Errors
    /// Those of [`Jit::compile`]; [`Error::NotDefined`] if a function is called that has been declared only; [`Error::DefinedTwice`];
    /// [`Error::OtherGroup`] if a function of another group is called or was defined here.
    pub fn compile(self) -> Result<Functions, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let cells = Arc::new(Cells {
            group: self.number,
            entries: self.slots.iter().map(|_| AtomicUsize::new(0)).collect(),
            defined: self.slots.iter().map(|slot| slot.definition.is_some()).collect(),
        });
        let mut members = Vec::new();
        for slot in self.slots {
            let member = slot.definition.map(|(_, compile)| compile(&self.jit, &cells)).transpose()?;
            members.push((slot.declared, member));
        }
        // Nothing has been callable so far; whoever gets a handle sees all cells filled.
        for ((_, member), entry) in members.iter().zip(&cells.entries) {
            entry.store(member.as_ref().map_or(0, |member| member.entry()), Ordering::Release);
        }
        let all: Vec<Keep> = members.iter().flat_map(|(_, member)| member).map(|member| member.keep()).collect();
        let all: Keep = Arc::new(all);
        let handle = |member: Box<dyn Member>| member.handle(all.clone());
        let handles =
            members.into_iter().map(|(_, member)| member.map(handle).transpose()).collect::<Result<_, _>>()?;
        Ok(Functions { group: self.number, handles })
    }
}

/// The compiled functions of a [`Group`].
pub struct Functions {
    group: u64,
    /// A `Func<S>` for each function that was defined.
    handles: Vec<Option<Box<dyn Any>>>,
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Functions({})", self.handles.iter().flatten().count())
    }
}

impl Functions {
    /// A function of the group. It keeps all of them alive.
    ///
    /// # Errors
    /// [`Error::NotDefined`] of one that was declared only, [`Error::OtherGroup`] of one of another group.
    #[track_caller]
    pub fn get<S: Signature>(&self, function: Declared<S>) -> Result<Func<S>, Error> {
        let DeclaredId { group, index, declared } = function.id;
        let used = Location::caller();
        if group != self.group {
            return Err(Error::OtherGroup { declared, used });
        }
        let func = self.handles[index].as_ref().and_then(|func| func.downcast_ref::<Func<S>>());
        func.cloned().ok_or(Error::NotDefined { declared, used })
    }
}
