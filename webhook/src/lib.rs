//! The mutating admission webhook: it gives new pods the AWS role of their ServiceAccount.
//!
//! ```text
//!   HTTP body ─► review ─► pod (a view of the few fields that matter)
//!                             │
//!   ServiceAccounts ─► binding ─► mutate ─► Outcome: patch, skip or refuse ─► answer
//!     (watch + live reads)        (pure)                │
//!                                             one log line, one metric
//! ```
//!
//! The pod stays raw JSON and is never serialized again: a patch has one `add` for each thing that
//! is missing, so fields that Kubernetes adds to pods next year survive. If something goes wrong,
//! the pod is admitted unchanged with a warning that `kubectl` shows, or, on `/mutate/required`,
//! rejected.
#![forbid(unsafe_code)]

mod args;
mod associations;
pub mod binding;
mod cache;
mod callers;
pub mod cluster;
mod command;
mod config_map;
pub mod conflicts;
mod controller;
#[cfg(test)]
mod fuzz;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod handle;
mod imds;
mod live_reads;
mod lookup;
mod metrics;
pub mod mutate;
mod mutex;
mod namespaces;
mod outcome;
pub mod pod;
mod rate_limit;
mod read_budget;
mod registered_timeout;
mod registration_monitor;
pub mod review;
mod routes;
mod run;
pub mod selector;
mod service_accounts;
mod settings;
mod singleflight;
pub mod sources;
mod tls;
mod validate;
mod webhook;

pub use args::{Args, CertificateArgs, CertificateSource, EndpointArgs, KubeArgs, SettingsError};
pub use command::{command, main};
pub use conflicts::{Conflict, ConflictKind};
pub use controller::{ControllerArgs, ControllerMetrics, LivePod, is_missed_pod};
pub use handle::{Reviewed, outcome, review_bytes, validate_bytes, warnings};
pub use metrics::Metrics;
pub use outcome::{Outcome, Reason};
pub use routes::{MAX_BODY_BYTES, router};
pub use service_accounts::{
    FoundAssociation, InMemory, LookupError, ServiceAccount, ServiceAccounts,
};
pub use settings::Settings;
pub use validate::{pod_of_template, template};
pub use webhook::{DEFAULT_PATIENCE, Webhook};
