//! Passes the listening sockets from an agent to its successor, so that no connection is lost.
//!
//! ```text
//!   successor ── connects to the Unix socket, and shows its token and settings ──► predecessor
//!             ◄── the listening sockets (SCM_RIGHTS), or the reason why not ──
//!   both accept from the same queue, until the predecessor is stopped
//! ```
//!
//! A process with these descriptors could read pods' tokens. So the Unix socket is protected by its
//! directory's permissions and a check of the peer's user, and the predecessor gives its sockets to
//! a pod of its own ServiceAccount on its own node only. The successor binds a new Unix socket at
//! the same path.

mod agreement;
mod holder;
mod judge;
mod refusal;
mod successor;
mod wire;

pub use agreement::Agreement;
pub use holder::{HandoverError, Holder, offer};
pub use refusal::HandoverRefusal;
pub use successor::{Inheritance, inherit};

#[cfg(test)]
mod tests;
