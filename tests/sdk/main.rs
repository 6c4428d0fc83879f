//! The vendors' SDKs as clients: of the sandbox by web identity, of the agent by container
//! credentials, each in its own process with nothing but a pod's variables.
//!
//! ```text
//!   program (build, python/ javascript/ go/ java/ rust/) ─► gate ─► agent ─► gate ─► sandbox
//!                                                   └──────────────────────► gate ─► sandbox
//! ```
//!
//! A gate counts requests and spoils some. Tests bear the numbers of a list: A rows are the
//! agent's, W rows those of an STS.
//!
//! What a row leaves to others: A15's half hour passes in `tests/agent`, on a clock that jumps; how
//! long A24's answers take is read in `bench/agent`; that the webhook leaves A25's pod alone is in
//! its own tests; W8's hour is part of A8, its hint is seen in `tests/api`. W10 speaks of a broker before STS, and there is none: the
//! row is about the file.
#![forbid(unsafe_code)]

mod agent;
mod client;
mod container;
mod differential;
mod gate;
// So that lints know them for tests: helpers in them may unwrap, too.
#[cfg(test)]
mod life;
#[cfg(test)]
mod link_local;
mod matrix;
mod operations;
mod outage;
#[cfg(test)]
mod quiet;
#[cfg(test)]
mod restart;
mod rows;
mod stage;
mod sts;
mod table;
mod wire;
