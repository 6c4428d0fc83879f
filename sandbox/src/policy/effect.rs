//! The effect of a statement.

use serde::{Deserialize, Serialize};

/// The effect of a statement that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Allows the action.
    Allow,
    /// Denies the action, even if other statements allow it.
    Deny,
}
