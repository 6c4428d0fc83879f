//! STS: the query protocol, the operations and their XML.
//!
//! ```text
//!   Call ─► Parameters ─► operation ─► role_step: permission ─► GrantedSession ─► XML
//!     └───► caller ──────────┘           └──────────────► StsError ───► XML, and the reason in the journal
//! ```
//!
//! A new operation is a file next to `web_identity`, a variant in `operation`, and a response in `xml`. All
//! role credentials go through `role_step`, including EKS Auth's.

pub(crate) mod assume_role;
pub(crate) mod caller;
pub(crate) mod dispatch;
pub(crate) mod error;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod inputs;
pub(crate) mod operation;
pub(crate) mod parameter_error;
pub(crate) mod parameters;
pub(crate) mod permission;
pub(crate) mod role_step;
pub(crate) mod session_policies;
pub(crate) mod session_tags;
pub(crate) mod session_token;
pub(crate) mod web_identity;
pub(crate) mod xml;
