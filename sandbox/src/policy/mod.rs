//! IAM policies: read strictly, judged purely.
//!
//! ```text
//!   JSON or YAML ─► Policy ─┐
//!                           ├─► evaluate ─► Allowed by which statement | Denied, and why
//!   principal, action, keys ┘
//! ```
//!
//! What is not known here makes a policy malformed, by name: a condition that is silently passed
//! over would allow what AWS denies.

mod condition;
mod document;
mod evaluate;
mod pattern;
mod text;

#[cfg(test)]
mod tests;

pub use condition::{Comparison, Operator, OperatorError, SetForm};
pub use document::{Effect, Policy, PolicyError, Principals, Statement};
pub use evaluate::{Context, Principal, Request, Verdict, evaluate};
