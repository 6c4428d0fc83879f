//! STS's query protocol: which operation, its parameters, its checks, its XML.
//!
//! ```text
//!   Call ─► Parameters ─► operation ─► hop: permission ─► Granted ─► XML
//!     └───► caller ──────────┘           └──────────────► Fault ───► XML, and the reason in the journal
//! ```
//!
//! A new operation is a file beside `web_identity`, a variant here, and an answer in `xml`. What
//! ends in a role's credentials goes through `hop`, EKS Auth's too.

pub(crate) mod answer;
pub(crate) mod assume_role;
pub(crate) mod caller;
pub(crate) mod fault;
pub(crate) mod hop;
pub(crate) mod known;
pub(crate) mod operation;
pub(crate) mod parameter_error;
pub(crate) mod parameters;
pub(crate) mod permission;
pub(crate) mod session_policies;
pub(crate) mod session_tags;
pub(crate) mod session_token;
pub(crate) mod web_identity;
#[cfg(test)]
pub(crate) mod world;
pub(crate) mod xml;
