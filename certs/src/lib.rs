//! Certificates for the webhook: mint them, serve them, replace them without a restart.
//!
//! ```text
//!   Authority::mint ─► Authority::issue ─► Pair ─┐
//!                                                ├─► Serving (used by the next handshake)
//!   tls.crt, tls.key on disk ─► watch_files ─────┤
//!   Secret ─► CaBundle ─► start_rotator ─────────┘
//!                └─► caBundle and paths of our webhook configurations
//! ```
//!
//! A pair is checked before it is served, so a broken rotation never replaces a working
//! certificate. Functions that mint or decide take the current time as an argument.
#![forbid(unsafe_code)]

mod authority;
mod ca_bundle;
mod client_config;
mod cluster;
mod files;
mod leaf;
mod pair;
mod path_segment;
mod rotator;
mod self_check;
mod serving;

pub use authority::{Authority, MintError};
pub use ca_bundle::{CaBundle, Lifetimes, RotationStep};
pub use client_config::Route;
pub use cluster::RotatorConfig;
pub use files::{FilesError, watch_files};
pub use leaf::{Expires, LeafError};
pub use pair::{Pair, PairError};
pub use path_segment::PathSegment;
pub use rotator::start_rotator;
pub use self_check::self_check;
pub use serving::Serving;
