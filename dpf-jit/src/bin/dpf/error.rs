//! [`Failure`]: what ends the command, with file and line.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}: {error}", file.display())]
    File { file: PathBuf, error: io::Error },
    #[error("{}:{line}: {message}", file.display())]
    Line { file: PathBuf, line: usize, message: String },
    #[error("{}: {message}", file.display())]
    Capture { file: PathBuf, message: String },
    #[error("{0}")]
    Classifier(#[from] dpf_jit::Error),
    #[error("{0}")]
    Wrong(String),
    #[error("printing: {0}")]
    Print(#[from] io::Error),
}
