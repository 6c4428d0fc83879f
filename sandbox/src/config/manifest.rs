//! The file as a cluster holds it: in a ConfigMap.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::ConfigError;

/// What tells a manifest from the file itself; all else is passed over here.
#[derive(Deserialize)]
pub(super) struct Manifest {
    kind: Option<String>,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

impl Manifest {
    /// The file that a ConfigMap holds; none where there is no manifest, but the file itself.
    pub(super) fn file(self) -> Result<Option<String>, ConfigError> {
        let Some(kind) = self.kind else {
            return Ok(None);
        };
        let files = self.data.len();
        let mut held = self.data.into_values();
        match held.next().filter(|_| kind == "ConfigMap" && files == 1) {
            Some(file) => Ok(Some(file)),
            None => Err(ConfigError::Manifest { kind, files }),
        }
    }
}
