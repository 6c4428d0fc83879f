//! `webhook.mode: policy`: a MutatingAdmissionPolicy in the API server adds what the webhook would add.
//!
//! ```text
//!   pods.yaml ─► a namespace with the webhook ──────► a pod ─┐
//!             ─► the same one with the policies alone ─► a pod ─┴► equal, or listed with the reason
//! ```

mod mode;
mod names;
mod pods;
mod same;
mod taken_back;
mod webhook;
