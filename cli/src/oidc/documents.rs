//! What an API server publishes about its tokens, and what is published for AWS.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::key::{KeySet, KeySetError, read_set};

/// Where API servers, and issuers, have their discovery document.
pub(crate) const DISCOVERY: &str = ".well-known/openid-configuration";
/// Where API servers have their keys, whatever the discovery document names.
pub(crate) const API_SERVER_KEYS: &str = "openid/v1/jwks";

/// A published document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) body: Vec<u8>,
    /// Whether it is served as JSON, or `None` if the target does not say.
    pub(crate) is_json: Option<bool>,
}

/// A discovery document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discovery {
    pub(crate) issuer: String,
    pub(crate) jwks_uri: String,
    /// All of its fields.
    pub(crate) fields: Map<String, Value>,
}

/// A text is not a discovery document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a discovery document with issuer and jwks_uri")]
pub(crate) struct DiscoveryError(());

/// What one API server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerDocuments {
    /// The API server, as messages name it.
    pub(crate) server: String,
    pub(crate) discovery: Discovery,
    pub(crate) keys: KeySet,
}

/// Why an answer of an API server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentsError {
    #[error("{0}/{DISCOVERY}: {1}")]
    Discovery(String, DiscoveryError),
    #[error("{0}/{API_SERVER_KEYS}: {1}")]
    Keys(String, KeySetError),
}

impl Discovery {
    /// # Errors
    /// If it is not one.
    pub(crate) fn read(json: &[u8]) -> Result<Self, DiscoveryError> {
        #[derive(Deserialize)]
        struct Raw {
            issuer: String,
            jwks_uri: String,
            #[serde(flatten)]
            rest: Map<String, Value>,
        }
        let raw: Raw = serde_json::from_slice(json).map_err(|_| DiscoveryError(()))?;
        let mut fields = raw.rest;
        fields.insert("issuer".to_owned(), raw.issuer.clone().into());
        fields.insert("jwks_uri".to_owned(), raw.jwks_uri.clone().into());
        Ok(Self { issuer: raw.issuer, jwks_uri: raw.jwks_uri, fields })
    }
}

impl ServerDocuments {
    /// Reads both answers of an API server.
    ///
    /// # Errors
    /// If one cannot be used.
    pub(crate) fn read(
        server: &str,
        discovery: &[u8],
        keys: &[u8],
    ) -> Result<Self, DocumentsError> {
        let discovery = Discovery::read(discovery)
            .map_err(|error| DocumentsError::Discovery(server.to_owned(), error))?;
        let keys =
            read_set(keys).map_err(|error| DocumentsError::Keys(server.to_owned(), error))?;
        Ok(Self { server: server.to_owned(), discovery, keys })
    }
}
