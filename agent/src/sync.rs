//! The lock and the tasks of the credential cache: std's and tokio's.
//!
//! In tests that [shuttle](https://docs.rs/shuttle) runs they are shuttle's, which decides at each of them which task
//! goes on. So these tests try thousands of orders of what requests, fetches and the refresher do, on the code that
//! runs in the daemon.

#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard};
#[cfg(not(test))]
pub(crate) use tokio::{spawn, time::timeout};

#[cfg(test)]
mod interleaved;
#[cfg(test)]
pub(crate) use interleaved::{Mutex, MutexGuard, spawn, timeout};
