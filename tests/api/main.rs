//! On a real Kubernetes API server.
#![forbid(unsafe_code)]

mod admission;
mod cluster;
mod credentials;
mod daemons;
mod http;
