//! What goes wrong on a node and in its cluster, and that all comes back by itself.

pub(crate) mod agent;
pub(crate) mod local;
pub(crate) mod readme;
mod removed;

pub(crate) use removed::{drained, removed_and_installed_again};
