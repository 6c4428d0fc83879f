//! `podrole-keys.json`: since when each key is published, and since when it is missing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file, beside the others.
pub(crate) const RECORDS: &str = "podrole-keys.json";

/// What is known of a published key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyRecord {
    pub(crate) kid: String,
    /// When it was published first.
    pub(crate) first_seen: Timestamp,
    /// When a run first missed it at all API servers; the key may have gone earlier. `None` while an API server has it, so
    /// that a run without a change writes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_seen: Option<Timestamp>,
}

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Records {
    pub(crate) keys: Vec<KeyRecord>,
}

impl Records {
    /// # Errors
    /// If the text has another form.
    pub(crate) fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&KeyRecord> {
        self.keys.iter().find(|key| key.kid == kid)
    }
}
