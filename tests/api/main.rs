//! On a real Kubernetes API server.
#![forbid(unsafe_code)]

// So that lints know it for tests: helpers in it may unwrap, too.
#[cfg(test)]
mod admission;
#[cfg(test)]
mod associations;
#[cfg(test)]
mod certificates;
mod cluster;
#[cfg(test)]
mod credentials;
mod daemons;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod faulty_api;
#[cfg(test)]
mod healing;
#[cfg(test)]
mod in_cluster;
#[cfg(test)]
mod oidc;
#[cfg(test)]
mod sandbox_state;
mod startup_taint;
#[cfg(test)]
mod why;
#[cfg(test)]
mod wire;

use podrole_tests::http;
