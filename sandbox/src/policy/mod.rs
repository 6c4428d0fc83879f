//! IAM policies: strict parsing and pure evaluation.
//!
//! ```text
//!   JSON or YAML ─► Policy (trust) ────────────┐
//!                   IdentityPolicy (of a role, ├─► evaluate ─► Allowed by which statement
//!                   a user, a session) ────────┤               | Denied, and why
//!   principal, action, resource, keys ─────────┘
//! ```
//!
//! Unknown elements make a policy malformed: a condition that is silently ignored would allow what AWS
//! denies.

mod applies;
mod compare;
mod condition;
mod context;
mod document;
mod effect;
mod evaluate;
mod malformed;
mod miss;
mod near_miss;
mod pattern;
mod principal;
mod request;
mod text;
mod variable;
mod version;
mod written;

#[cfg(test)]
mod tests;

pub use applies::{UndecidedStatement, undecided};
pub use context::Context;
pub(crate) use context::is_modelled;
pub use document::{IdentityPolicy, Policy, PolicyError};
pub use effect::Effect;
pub use evaluate::{Verdict, evaluate, evaluate_identity};
pub use miss::{ComparedCondition, Denial, MissedPart, NearMiss, StatementMiss};
pub use principal::{Principal, PrincipalMatch};
pub use request::Request;
