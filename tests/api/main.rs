//! On a real Kubernetes API server.
#![forbid(unsafe_code)]

mod admission;
mod certificates;
mod cluster;
mod credentials;
mod daemons;
mod http;
