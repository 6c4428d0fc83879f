//! A small AWS identity that really checks: an OIDC issuer, STS, EKS Auth, and IAM around them.
//!
//! For laptops, kind clusters and CI. Where the known emulators accept anything, this one refuses
//! what AWS refuses, with AWS's own codes, statuses and XML, so that an SDK does here what it will
//! do in production; and it says, beside the answer, why.
//!
//! ```text
//!   http ─► sts ──────► AssumeRoleWithWebIdentity ─► token ─┐
//!     │                 AssumeRole ────────► caller ────────┼─► hop ─► policy ─► sessions
//!     ├───► eks_auth ─► a pod's token, an association ──────┘           ▲           │
//!     │                 GetCallerIdentity, GetSessionToken ◄────────────┼───────────┘
//!     ├───► iam: what Terraform and the CLI ask ─► accounts ────────────┘
//!     ├───► upstream: everything else, once its signature is proved
//!     └───► decisions: what was decided, and why
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
mod admin_state;
mod auto_roles;
mod call;
mod config;
mod decisions;
mod discovery;
mod eks_auth;
mod faults;
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
mod upstream;

pub use accounts::{
    AccessKey, Cluster, ClusterArn, PodAssociation, Policies, Provider, Role, SessionDurationError,
    TagError, Tags, User, UserArn,
};
pub use config::{Config, ConfigError, read_life};
pub use decisions::Decision;
pub use faults::{Faults, Rule, RuleError};
pub use issuer::{Issuer, IssuerError, NodeRef, PodRef, TokenRequest};
pub use jwk::{JwkSet, JwkSetError};
pub use listen::ListenArgs;
pub use run::{SandboxArgs, run};
pub use sandbox::Sandbox;
pub use upstream::{Upstream, UpstreamArgs, UpstreamError, UpstreamKey, UpstreamSign};
