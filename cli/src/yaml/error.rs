//! What is wrong with a text.

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    /// In the file, counted from 1.
    pub(crate) line: usize,
    pub(crate) reason: String,
}
