//! STS's query protocol: which operation, its parameters, its checks, its XML.
//!
//! ```text
//!   Call ─► Parameters ─► operation ─► role_step: permission ─► GrantedSession ─► XML
//!     └───► caller ──────────┘           └──────────────► StsError ───► XML, and the reason in the journal
//! ```
//!
//! A new operation is a file beside `web_identity`, a variant here, and an answer in `xml`. What
//! ends in a role's credentials goes through `role_step`, EKS Auth's too.

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
