//! The agent through long and bad days, without a cluster.
//!
//! ```text
//!   request ─► the agent's routes ─► the SDK's client ─► wire ─► the sandbox's routes
//!              └──────────── one clock for all, which jumps to what is due ──────────┘
//! ```
//!
//! What takes hours on a node takes a second here: nothing waits for a socket, so tokio's paused
//! clock goes on by itself, and agent and sandbox read theirs from it.
#![forbid(unsafe_code)]

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod idle;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod refreshes;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod world;
