//! The chart: what it renders in each mode, what it refuses, and what a real API server says to it.
//!
//! ```text
//!   helm template ─► golden/ and manifests/install.yaml     values ─► refused, with a sentence
//!   helm install ─► a real API server ─► pods by Pod Security's levels ─► helm uninstall
//! ```
//!
//! `PODROLE_BLESS=1` writes golden files and install.yaml anew: read the difference before it is kept.

mod affinity;
mod again;
mod configurations;
mod controlled;
mod golden;
mod helm;
mod inject;
mod install_lines;
mod installed;
mod kinds;
mod metrics;
mod nulls;
mod objects;
mod policy;
mod ports;
mod readers;
mod refusals;
mod rights;
mod rules;
mod security;
mod server_side;
mod shape;
mod values;
