//! The versions of the policy language.

use serde::{Deserialize, Serialize};

/// The version of the policy language. The older one has no variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Version {
    #[default]
    #[serde(rename = "2008-10-17")]
    Old,
    #[serde(rename = "2012-10-17")]
    Current,
}
