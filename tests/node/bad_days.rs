//! What goes wrong on a node by itself, and that all comes back by itself.

pub(crate) mod agent;
