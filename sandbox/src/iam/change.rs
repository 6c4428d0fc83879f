//! What the IAM API changed.

use serde::{Deserialize, Serialize};

/// What an operation changed: it is kept when the file is read again, and across restarts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Change {
    /// A role was made, changed or deleted.
    Role { account: String, name: String },
    /// A provider was.
    Provider { account: String, url: String },
}
