//! A small AWS identity service with real checks: an OIDC issuer, STS, EKS Auth, and the IAM API for them.
//!
//! It is for laptops, kind clusters and CI. Other emulators accept any signature, token and policy. This one
//! rejects what AWS rejects, with AWS's codes, statuses and XML, so that an SDK behaves as in production. Its
//! decision log has the reason for each decision.
//!
//! ```text
//!   http ─► sts ──────► AssumeRoleWithWebIdentity ─► token ─┐
//!     │                 AssumeRole ────────► caller ────────┼─► role_step ─► policy ─► sessions
//!     ├───► eks_auth ─► a pod's token, an association ──────┘                 ▲           │
//!     │                 GetCallerIdentity, GetSessionToken ◄──────────────────┼───────────┘
//!     ├───► iam: what Terraform and the CLI call ─► accounts ─────────────────┘
//!     ├───► upstream: everything else, after its signature is verified
//!     └───► decisions: what was decided, and why
//!   issuer: discovery, keys, tokens as a cluster's API server makes them
//! ```
//!
//! It is not AWS and protects nothing: its secrets are in memory, and everyone who can reach its port can read
//! its decisions.
//!
//! Tokens are verified by code of its own, on the crypto library only, and not by the agent's: a mistake must
//! not pass both.
#![forbid(unsafe_code)]

mod accounts;
mod admin_state;
mod auto_roles;
mod browser_guard;
mod call;
mod cluster_state;
mod config;
mod decisions;
mod discovery;
mod eks_auth;
mod faults;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod iam;
mod in_cluster;
mod issuer;
mod jwk;
mod listen;
pub mod policy;
mod prefetch;
mod random;
mod reload;
mod run;
mod sandbox;
mod sessions;
mod signature;
mod state;
mod sts;
mod token;
pub mod trust;
mod upstream;

pub use accounts::{
    AccessKey, Cluster, ClusterArn, PodAssociation, Policies, Provider, Role, SessionDurationError,
    TagError, Tags, User, UserArn,
};
pub use browser_guard::{BrowserGuard, BrowserRefusal};
pub use config::{ClusterError, Config, ConfigError, LifeError, read_life};
pub use decisions::Decision;
pub use faults::{Faults, Rule, RuleError};
pub use issuer::{Issuer, IssuerError, NodeRef, PodRef, TokenRequest};
pub use jwk::{JwkSet, JwkSetError};
pub use listen::ListenArgs;
pub use run::{SandboxArgs, run};
pub use sandbox::Sandbox;
pub use sessions::{SessionKey, SessionKeyError};
pub use state::StateError;
pub use upstream::{
    Upstream, UpstreamArgs, UpstreamError, UpstreamKey, UpstreamSign, UpstreamSignError,
};
