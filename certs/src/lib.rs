//! Certificates for the webhook: mint them, serve them, replace them without a restart.
//!
//! ```text
//!   controller:  Secret of the CAs ─► CaBundle ─► Authority::issue ─► Secret of the serving certificate
//!                                        └─► caBundle and paths of our webhook configurations
//!   replicas:    Secret of the serving certificate ─► follow_secret ─┐
//!                tls.crt, tls.key on disk ─► watch_files ────────────┴─► Serving (next handshake)
//! ```
//!
//! A pair is checked before it is served, so a broken rotation never replaces a working
//! certificate. Functions that mint or decide take the current time as an argument.
#![forbid(unsafe_code)]

mod authority;
mod bundle_expiry;
mod ca_bundle;
mod cluster;
mod controller;
mod disruption;
mod files;
mod follower;
mod leaf;
mod lease;
mod pair;
mod path_segment;
mod registration;
mod self_check;
mod serving;
mod verify;

pub use authority::{Authority, MintError};
pub use bundle_expiry::{BundleError, bundle_expiry};
pub use ca_bundle::{CaBundle, Lifetimes, RotationStep};
pub use cluster::{ControllerConfig, webhook_has_endpoint};
pub use controller::{ControllerStatus, run_controller};
pub use files::{FilesError, watch_files};
pub use follower::{ServingSecret, follow_secret};
pub use leaf::Expires;
pub use pair::{Pair, PairError};
pub use path_segment::PathSegment;
pub use self_check::self_check;
pub use serving::Serving;
