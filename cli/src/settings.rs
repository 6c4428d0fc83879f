//! The cluster's settings, from the flags of podrole's own containers, so that a command decides as the cluster does.
//!
//! ```text
//!   Deployments, DaemonSets ─► Daemon (words, literal variables) ─► the daemons' own parsers ─┐
//!   the command's own flags, which replace them ──────────────────────────────────────────────┴► ClusterSettings
//! ```
//!
//! Nothing comes from this process's environment: the region of an engineer's shell is not the cluster's.

#![allow(dead_code, unused_imports, reason = "used by the commands that follow")]

mod args;
mod daemon;
mod environment;
mod flags;
mod list_file;
mod problem;
mod read;
mod resolved;
#[cfg(test)]
mod tests;

pub(crate) use args::SettingsArgs;
pub(crate) use daemon::{Component, Daemon};
pub(crate) use problem::SettingsProblem;
pub(crate) use resolved::{ClusterSettings, SettingsSource};
