//! What podrole-sandbox tells podrole's agent beside AWS's answers.

/// The header of an error in which the sandbox says why it refuses. AWS has no such header, and gives no reason.
pub const SANDBOX_REASON_HEADER: &str = "x-podrole-reason";
