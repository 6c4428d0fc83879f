//! The node agent: it verifies the token that a pod's SDK sends, exchanges it for AWS credentials,
//! and refreshes them before they expire.
//!
//! ```text
//!   GET /v1/credentials
//!     http ─► fast_path ─► the answer from before, if nothing changed
//!       └───► verify ─► node ─► resolve ─► credential_cache ─► exchange ─► AWS
//!               │         │        │
//!             keys      pods   ServiceAccounts
//!               └─────────┴────────┴─ cluster
//! ```
//!
//! The decisions are pure ([`token::verify`], [`node::alive`], [`resolve::decide`],
//! [`credential_cache::refresh_at`], [`exchange::classify()`]); the code that does I/O calls them. A
//! [`Refusal`] says what is wrong and how to fix it. Secrets are [`secret::Secret`]s, which are
//! never printed.
#![forbid(unsafe_code)]

mod agent;
pub mod answer;
pub mod args;
pub mod audit;
pub mod aws_clock;
pub mod bearer_token;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod credential_cache;
pub mod events;
pub mod exchange;
mod fast_path;
pub mod handover;
pub mod health_socket;
pub mod hold;
pub mod hosts;
pub mod http;
pub mod http_client;
mod jitter;
pub mod keys;
mod log_limit;
mod lru;
pub mod metrics;
pub mod missed_pods;
pub mod node;
mod old_sdk;
pub mod peer;
mod pod_sessions;
pub mod refusal;
pub mod refusal_limit;
pub mod resolve;
mod run;
pub mod secret;
pub mod socket_owner;
mod sync;
pub mod token;
pub mod verify;

#[cfg(test)]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod tests;
#[cfg(all(fuzzing, not(test)))]
mod tests {
    #[allow(dead_code, reason = "fuzzing uses a part of it")]
    pub(crate) mod fixture;
}

pub use agent::Agent;
pub use args::{Args, ArgsError, configuration};
pub use config::{AgentConfig, AgentOptions};
pub use http::router;
pub use refusal::Refusal;
pub use run::run;
