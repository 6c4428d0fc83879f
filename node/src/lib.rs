//! What needs rights on the node, in one small program without TLS, HTTP and AWS: it assigns the addresses that SDKs use,
//! binds their low port, and keeps the agent running.
//!
//! ```text
//!   podrole-node setup ─► netlink: the addresses; the folder that one agent leaves to the next
//!   podrole-node run ─┬─► starts podrole-agent, and starts it again if it dies or hangs
//!                     └─◄ channel (the agent's standard input): listening sockets, both ways
//!   podrole-node health ─► the agent's health socket
//! ```
//!
//! The sockets stay open here while the agent is away, so that connections wait for the next one.
#![forbid(unsafe_code)]

pub mod args;
pub mod channel;
pub mod health;
pub mod host_dir;
#[cfg(target_os = "linux")]
mod link;
pub mod parent;
mod run;
mod setup;
pub mod sockets;

pub use args::{Args, Command};
pub use run::{Supervised, run};
pub use setup::setup;
