//! What an Event says.

/// One Event to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's UID.
    pub uid: String,
    /// The Event's action.
    pub action: &'static str,
    /// The Event's reason, for programs.
    pub reason: &'static str,
    /// What is wrong and how to fix it.
    pub message: String,
}
