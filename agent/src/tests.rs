//! Tests of the crate as a whole, and what tests share.

mod associations;
mod clock_skew;
mod fast_path;
pub(crate) mod fixture;
pub(crate) mod full_path;
mod held;
mod host_network;
mod leaks;
mod missed_pods;
mod outage;
mod pod_added;
mod pod_ends;
pub(crate) mod source_credentials;
pub(crate) mod sts;
mod wiped;
