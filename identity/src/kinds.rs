//! podrole's own Kubernetes kinds: how their specs are read, and what they select.
//!
//! The API server has checked each object against the schema, but perhaps another version of it. An
//! object that this version cannot read whole, or that has a field that it does not know, is
//! unreadable: an unknown field may narrow what the object grants.

mod association;
mod fields;
mod guardrail;
mod object;
mod pattern;
mod schema;
mod selector;
mod template;
mod unreadable;

pub(crate) use guardrail::GuardrailVerdict;
pub use guardrail::{Guardrail, Guardrails};
pub use object::{API_GROUP, API_VERSION, Kind, MAX_SELECTING_OBJECTS, RawObject};
pub(crate) use pattern::selecting_all;
pub use pattern::{Pattern, PatternMatch, Patterns};
pub use schema::{EKS_ASSOCIATION_ANNOTATIONS, SchemaError};
pub use unreadable::Unreadable;

#[cfg(test)]
mod tests;
