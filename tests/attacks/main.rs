//! The webhook's own program under attack by one pod, and an API server whose reviews must be
//! answered meanwhile.
//!
//! ```text
//!   flood ─► thousands of silent connections ─┐
//!   bodies ─► all but their last byte ────────┼─► podrole-webhook ─► api_server (a stand-in)
//!   client ─► honest reviews, timed ──────────┘
//! ```
#![forbid(unsafe_code)]

#[cfg(test)]
mod api_server;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod client;
#[cfg(test)]
mod live_reads;
#[cfg(test)]
mod program;
#[cfg(test)]
mod silent;
