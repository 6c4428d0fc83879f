//! The node agent: it proves who is asking from the pod's own token, trades that token with AWS,
//! and keeps the answer fresh.
//!
//! ```text
//!   GET /v1/credentials
//!     http ─► verify ─► node ─► resolve ─► keep ─► exchange ─► AWS
//!               │         │        │         │
//!             keys      pods   ServiceAccounts
//!               └─────────┴─ cluster         └─ refreshed ahead of need
//! ```
//!
//! The decisions are pure ([`token::verify`], [`node::alive`], [`resolve::decide`],
//! [`keep::refresh_at`], [`exchange::classify()`]); what does I/O asks them. A [`Refusal`] says
//! whose error it is and what mends it. Secrets are [`secret::Secret`]s and never print.
#![forbid(unsafe_code)]

mod again;
mod agent;
pub mod answer;
pub mod args;
pub mod audit;
mod bounded;
pub mod clock;
pub mod cluster;
pub mod events;
pub mod exchange;
pub mod extras;
pub mod handover;
pub mod health_socket;
pub mod host_dir;
pub mod http;
pub mod http_client;
pub mod keep;
pub mod keys;
pub mod limit;
#[cfg(target_os = "linux")]
pub mod link;
pub mod metrics;
pub mod node;
pub mod peer;
pub mod refusal;
pub mod resolve;
mod run;
pub mod secret;
pub mod token;
pub mod verify;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use agent::{Agent, Parts};
pub use args::{Args, Command};
pub use extras::Extras;
pub use http::router;
pub use refusal::Refusal;
pub use run::{run, setup};
