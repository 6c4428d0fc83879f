//! The configuration file inside of a ConfigMap's manifest.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::ConfigError;

/// The fields that distinguish a manifest from the configuration file. Others are ignored here.
#[derive(Deserialize)]
pub(super) struct Manifest {
    kind: Option<String>,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

impl Manifest {
    /// The one file of a ConfigMap. `None` if the text is not a manifest.
    pub(super) fn file(self) -> Result<Option<String>, ConfigError> {
        let Some(kind) = self.kind else {
            return Ok(None);
        };
        let files = self.data.len();
        let mut contents = self.data.into_values();
        match contents.next().filter(|_| kind == "ConfigMap" && files == 1) {
            Some(file) => Ok(Some(file)),
            None => Err(ConfigError::Manifest { kind, files }),
        }
    }
}
