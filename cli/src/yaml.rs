//! YAML as kubectl reads it, with the place of each value in the author's text.
//!
//! ```text
//!   text ─► split ─► chunks between `---` lines ─► tree (spans, lines) ─► value (YAML 1.1)
//!                                                    │
//!                                  change ◄──────────┘ the value before and after
//!                                    └─► edits of the text: comments, quotes and order stay
//! ```
//!
//! serde-saphyr reads YAML 1.2 and keeps no positions, so a file mode like `0400` would become 400
//! and a changed document would lose its author's spelling.

mod change;
mod emit;
mod error;
#[cfg(test)]
mod fuzz;
mod scalar;
mod split;
mod tree;
mod value;

pub(crate) use change::{Edit, apply, edits, rewritten, sorted};
pub(crate) use emit::{document, json};
pub(crate) use error::SyntaxError;
#[cfg(test)]
pub(crate) use split::READS;
pub(crate) use split::{Document, documents, is_json};
pub(crate) use value::Duplicate;
