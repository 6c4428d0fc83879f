//! Changes that the IAM API made.

use serde::{Deserialize, Serialize};

/// The entity that an operation changed. Changes survive a reload of the configuration file and, with
/// `--state`, a restart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Change {
    /// A role was created, changed or deleted.
    Role { account: String, name: String },
    /// A provider was created, changed or deleted.
    Provider { account: String, url: String },
}
