//! The ServiceAccounts of a cluster with the role of each, and their pods.
//!
//! ```text
//!   Namespaces, patterns, guard-rails, associations ─► World
//!   ServiceAccounts, page by page ─► grant ─► Identity
//!   pods, page by page ─► injected, missed or neither ─► its Identity's counts
//! ```
//!
//! Objects are not kept: a page is read, and what decides is taken from it.

mod identity;
mod read;
mod scope;
mod world;

pub(crate) use identity::Identity;
pub(crate) use read::Identities;
pub(crate) use scope::Scope;
