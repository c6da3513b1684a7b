//! What can go wrong before dynamic code runs.

use std::panic::Location;
use std::sync::Arc;

use crate::jit::Tier;

/// A place in the source of the Rust program.
type Place = &'static Location<'static>;

/// Why a `Jit` could not be made or a function not be compiled. Errors during emission are sticky: the first one is
/// reported by `compile`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system gives no memory that may hold code to run.
    #[error("executable memory denied: {reason}")]
    ExecMemoryDenied {
        /// What was tried, and what the system answered.
        reason: String,
    },
    /// The system gives no memory for something else than code.
    #[error("no memory for {what}: {reason}")]
    OutOfMemory {
        /// What it was for.
        what: &'static str,
        /// What the system answered.
        reason: String,
    },
    /// An expression needs more registers at once than there are.
    #[error("an expression is too complex: the values and addresses pending at once need more than {limit} registers")]
    ExpressionTooComplex {
        /// How many registers there are.
        limit: u32,
    },
    /// All code memory is taken by functions that live.
    #[error("no code memory left for {bytes} bytes: drop functions that are not needed")]
    CodeMemoryFull {
        /// How much was asked for.
        bytes: usize,
    },
    /// The tier is not part of this build, or not of this machine.
    #[error("tier {0:?} is not available in this build")]
    TierUnavailable(Tier),
    /// Fragments are nested too deeply.
    #[error(
        "fragments are nested too deeply: the limit is {limit} levels and {stack_kib} KiB of stack left; this one is at level {depth}"
    )]
    NestingTooDeep {
        /// The level at which emission gave up.
        depth: u32,
        /// The limit of levels.
        limit: u32,
        /// How much stack must stay free.
        stack_kib: u32,
    },
    /// One function instantiates too many fragments.
    #[error("the function instantiates more than {limit} fragments")]
    TooManyFragments {
        /// The limit.
        limit: u32,
    },
    /// The code of one function is too long.
    #[error("the function is too large: more than {limit} bytes of machine code")]
    CodeTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A function has too many variables.
    #[error("the function has more than {limit} variables")]
    TooManyVariables {
        /// The limit.
        limit: u32,
    },
    /// A function needs too much room for variables and spilled values.
    #[error("the function's frame is too large: more than {limit} bytes")]
    FrameTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Cranelift could not compile the function, or made something of it that is not known here: a limit of its own, or a mistake
    /// on one side or the other.
    #[error("cranelift: {reason}")]
    Codegen {
        /// What it said.
        reason: String,
    },
    /// A parameter or a `let` was used outside its scope or its function.
    #[error("the dynamic variable of type {ty} bound {} was used at {used} {how}", place_or_past(.bound))]
    VariableOutOfScope {
        /// The variable's type.
        ty: &'static str,
        /// Whether in its function or in another one.
        how: &'static str,
        /// Where it was bound; not known if its thread has bound a thousand other variables since.
        bound: Option<Place>,
        /// Where it was used.
        used: Place,
    },
    /// A function jumps to a label that it does not place.
    #[error("the label made at {made} is jumped to at {used}, but the function does not place it with `here`")]
    LabelNotPlaced {
        /// Where the label was made.
        made: Place,
        /// A jump to it.
        used: Place,
    },
    /// A function places a label twice.
    #[error("the label made at {made} is placed twice in one function, at {first} and at {second}")]
    LabelPlacedTwice {
        /// Where the label was made.
        made: Place,
        /// Its first place.
        first: Place,
        /// Its second place.
        second: Place,
    },
    /// A jump comes to a place where more variables are in scope than where it starts.
    #[error(
        "the jump at {used} goes past a `let`: a variable that is in scope at its label, placed at {placed}, is not in scope at \
         the jump"
    )]
    JumpPastLet {
        /// The jump.
        used: Place,
        /// Where its label is placed.
        placed: Place,
    },
    /// A function is called, or asked for, that its group has declared but not defined.
    #[error("the function declared at {declared} is used at {used}, but its group does not define it")]
    NotDefined {
        /// Where it was declared.
        declared: Place,
        /// Where it is called or asked for.
        used: Place,
    },
    /// A group defines a function twice.
    #[error("the function declared at {declared} is defined twice, at {first} and at {second}")]
    DefinedTwice {
        /// Where it was declared.
        declared: Place,
        /// Its first definition.
        first: Place,
        /// Its second definition.
        second: Place,
    },
    /// A declared function is used outside of its group.
    #[error(
        "the function declared at {declared} is used at {used} outside of its group; elsewhere its `Func` can be called"
    )]
    OtherGroup {
        /// Where it was declared.
        declared: Place,
        /// Where it is used.
        used: Place,
    },
    /// A label is placed within an expression, after operands that wait for it.
    #[error(
        "the label made at {made} is placed at {placed} within an operand: a label stands at statement level, with no other \
         operand pending"
    )]
    LabelInOperand {
        /// Where the label was made.
        made: Place,
        /// Where it is placed.
        placed: Place,
    },
    /// `return` with a value of another type than the function's.
    #[error("`return` of a {found} in a function that returns {expected}")]
    ReturnType {
        /// The function's type.
        expected: crate::types::Type,
        /// The value's.
        found: crate::types::Type,
    },
    /// `return` of a slice; functions return scalars.
    #[error("`return` of a slice: functions return scalars")]
    ReturnsSlice,
    /// Something whose type is known only at run time is of another type than it was taken for.
    #[error("the {what} is of type {found}, not {expected}")]
    WrongType {
        /// What it is.
        what: &'static str,
        /// The type that was asked for.
        expected: crate::types::Type,
        /// The type that it has.
        found: crate::types::Type,
    },
    /// An argument whose type is known only at run time does not fit the function's parameter.
    #[error("argument {number}, at {place}, is of type {found}, but the function takes {expected}")]
    ArgumentType {
        /// Which argument, from 1.
        number: usize,
        /// Where the argument was added to the call, or the function called.
        place: &'static Location<'static>,
        /// The parameter's type.
        expected: String,
        /// The argument's.
        found: String,
    },
    /// A call that was built at run time has not as many arguments as the function parameters.
    #[error("wrong number of arguments in the call at {place}: {found}, but the function takes {expected}")]
    ArgumentCount {
        /// Where the call was begun, or the function called.
        place: &'static Location<'static>,
        /// The number of parameters.
        expected: usize,
        /// The number of arguments.
        found: usize,
    },
    /// The result of a call that was built at run time is used as another type.
    #[error("the result of the call at {place} is of type {found}, not {expected}")]
    ResultType {
        /// Where the call was begun.
        place: &'static Location<'static>,
        /// The type that was asked for.
        expected: crate::types::Type,
        /// The type that the function returns.
        found: crate::types::Type,
    },
    /// A signature known only at run time has a parameter of type `()`.
    #[error("parameter {number} is of type (): parameters are scalars")]
    UnitParameter {
        /// Which parameter, from 1.
        number: usize,
    },
    /// A signature known only at run time has too many parameters.
    #[error("the function has {found} parameters: the limit is {limit}")]
    TooManyParameters {
        /// How many it has.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A call of a function whose signature is known only at run time ended in a trap.
    #[error("{message}")]
    Trapped {
        /// What the trap says, and the panic, if that is what it was.
        message: String,
    },
    /// A generator gave up through `Code::fail`.
    #[error("{0}")]
    Failed(Arc<dyn std::error::Error + Send + Sync>),
}

fn place_or_past(bound: &Option<Place>) -> String {
    bound.map_or_else(|| "in a function compiled long before".to_owned(), |place| format!("at {place}"))
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Error {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Error::Failed(error.into())
    }
}
impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Box::<dyn std::error::Error + Send + Sync>::from(message).into()
    }
}
impl From<String> for Error {
    fn from(message: String) -> Self {
        Box::<dyn std::error::Error + Send + Sync>::from(message).into()
    }
}
