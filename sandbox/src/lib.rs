//! A small AWS identity that really checks: an OIDC issuer, and an STS.
//!
//! For laptops, kind clusters and CI. Where the known emulators accept anything, this one refuses
//! what AWS refuses, with AWS's own codes, statuses and XML, so that an SDK does here what it will
//! do in production; and it says, beside the answer, why.
//!
//! ```text
//!   http ─► sandbox ─► sts: AssumeRoleWithWebIdentity ─► token (jwk) ─► policy ─► sessions
//!             │        sts: GetCallerIdentity ─────────► sigv4 ◄──────────────────────┘
//!             └─► decisions: what was decided, and why
//!   issuer: discovery, keys, tokens as a cluster's API server makes them
//! ```
//!
//! It is not AWS and guards nothing: its secrets live in memory, and whoever reaches its port can
//! read what it decided.
//!
//! The token's checks are written apart from the agent's, on the crypto library alone: one mistake
//! shall not pass both.
#![forbid(unsafe_code)]

mod accounts;
mod config;
mod decisions;
mod http;
mod issuer;
mod jwk;
pub mod policy;
mod random;
mod sandbox;
mod sessions;
mod sts;
mod token;

pub use accounts::{Provider, Role};
pub use config::{Config, ConfigError, read_life};
pub use decisions::Decision;
pub use issuer::{Issuer, IssuerError, NodeRef, PodRef, TokenRequest};
pub use jwk::{JwkSet, JwkSetError};
pub use sandbox::Sandbox;
