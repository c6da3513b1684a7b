//! Everything that can go wrong after the arguments have been accepted.

use std::io;
use std::path::{Path, PathBuf};

/// Why an example stopped. Mistakes in the arguments themselves are reported by clap, before anything runs.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be opened, created or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was attempted: "open", "create", "write", …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A table is not what the query example reads.
    #[error("{}:{line}: {message}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Line of the file, from 1.
        line: u64,
        /// What is wrong there.
        message: String,
    },
    /// A picture is not what the convolution example reads.
    #[error("{}: {message}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The arguments do not fit each other.
    #[error("{0}")]
    Input(String),
    /// The condition has no value for one of the records.
    #[error("the condition has no value for the order with id {id}: {undefined}")]
    Undefined {
        /// The order's `id`.
        id: u32,
        /// What happened, with the place in the condition.
        undefined: String,
    },
    /// Some version of an example computed something else than the reference.
    #[error("{name}: {version} computes another result than the reference")]
    Differs {
        /// The example.
        name: &'static str,
        /// The version whose result differs.
        version: String,
    },
    /// No code could be generated.
    #[error("cannot generate code: {0}")]
    Generate(#[from] tickc::Error),
    /// The results could not be printed.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

impl Error {
    /// `action` failed on `path`.
    #[must_use]
    pub fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), source }
    }
}
