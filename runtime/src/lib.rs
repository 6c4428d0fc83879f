//! Shared parts of the daemons: an accept loop with limits and timeouts, readiness, metrics, logs,
//! shutdown, `--print-config`, and a clock.
//!
//! ```text
//!   main: crypto ─► logging ─► serve::bind ─► serve::run(router) ◄── shutdown::on_signal
//!                                   │                    │
//!                              admin router:       drain, timeout, exit
//!                         /healthz /readyz /metrics
//! ```
//!
//! Nothing in this crate depends on what a daemon serves. Without the feature `server` it has neither HTTP nor TLS.
#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod admin;
#[cfg(feature = "server")]
pub mod association_list;
#[cfg(feature = "server")]
pub mod build;
pub mod clock;
pub mod config;
#[cfg(feature = "server")]
pub mod crypto;
pub mod error_text;
#[cfg(feature = "server")]
pub mod followed_file;
pub mod grant_args;
pub mod health;
pub mod host_name;
#[cfg(feature = "objects")]
pub mod kube_client;
pub mod latest;
pub mod listen;
pub mod local_address;
pub mod logging;
#[cfg(feature = "objects")]
pub mod managed_fields;
pub mod memory;
#[cfg(feature = "objects")]
pub mod objects;
pub mod open_files;
#[cfg(feature = "server")]
pub mod serve;
pub mod shutdown;
