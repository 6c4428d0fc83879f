//! What a good daemon needs once: an accept loop with limits and deadlines, health and readiness,
//! metrics, logs, shutdown, and a clock.
//!
//! ```text
//!   main: crypto ─► logging ─► serve::bind ─► serve::run(router) ◄── shutdown::signal
//!                                   │                    │
//!                              admin router:       drain, deadline, exit
//!                         /healthz /readyz /metrics
//! ```
//!
//! Nothing here knows what is served.
#![forbid(unsafe_code)]

pub mod admin;
pub mod association_list;
pub mod build;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod followed_file;
pub mod grant_args;
pub mod health;
pub mod latest;
pub mod logging;
pub mod serve;
pub mod shutdown;
