//! Certificates for the webhook: mint them, serve them, swap them without a restart.
//!
//! ```text
//!   Authority::mint ─► Authority::issue ─► Pair ─┐
//!                                                ├─► Serving (what the next handshake gets)
//!   tls.crt, tls.key on disk ─► watch_files ─────┤
//!   Secret ─► Generations ─► own ────────────────┘
//!               └─► caBundle of our webhook configurations
//! ```
//!
//! A pair is checked before it is served, so a broken rotation never replaces a working
//! certificate. Time is an argument of minting.
#![forbid(unsafe_code)]

mod authority;
mod cluster;
mod files;
mod generations;
mod leaf;
mod own;
mod pair;
mod proof;
mod serving;

pub use authority::{Authority, MintError};
pub use cluster::Place;
pub use files::{FilesError, watch_files};
pub use generations::{Due, Generations, Lives};
pub use leaf::{Expires, LeafError};
pub use own::own;
pub use pair::{Pair, PairError};
pub use proof::prove;
pub use serving::Serving;
