//! OIDC providers, and where their issuers' keys come from.

use jiff::Timestamp;
use podrole_identity::Audience;

use super::Tags;
use crate::{discovery::Discovery, issuer::Issuer, jwk::JwkSet, token::TokenError};

/// An IAM OIDC provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The issuer URL, exactly as in the tokens' `iss`.
    pub url: String,
    /// The audiences that are accepted.
    pub client_ids: Vec<Audience>,
    /// The issuer's keys. `None`: the keys of the issuer that this sandbox serves, if it has the same
    /// URL; otherwise the keys that the issuer publishes.
    pub keys: Option<JwkSet>,
    /// Certificate thumbprints. The sandbox stores and returns them, and checks nothing with them.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: Tags,
    /// The epoch for entities from the configuration file.
    pub created: Timestamp,
    /// The keys that the issuer publishes, if they were fetched.
    pub(crate) discovery: Discovery,
}

impl Provider {
    /// A provider without keys of its own: it uses those of the issuer that is served here, or those
    /// that the issuer publishes.
    #[must_use]
    pub fn new(url: &str, client_ids: Vec<Audience>) -> Self {
        Self {
            url: url.to_owned(),
            client_ids,
            keys: None,
            thumbprints: Vec::new(),
            tags: Tags::default(),
            created: Timestamp::UNIX_EPOCH,
            discovery: Discovery::default(),
        }
    }

    /// Sets the provider's own keys.
    #[must_use]
    pub fn with_keys(mut self, keys: JwkSet) -> Self {
        self.keys = Some(keys);
        self
    }

    /// The provider's ARN: its last part is the issuer without the scheme.
    pub(crate) fn arn(&self, partition: &str, account: &str) -> String {
        let issuer = self.issuer();
        format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}")
    }

    /// The issuer without its scheme, as condition keys have it.
    pub(crate) fn issuer(&self) -> &str {
        let url = self.url.strip_prefix("https://");
        url.or_else(|| self.url.strip_prefix("http://")).unwrap_or(&self.url)
    }

    /// The keys that its tokens are verified with: its own, or those of the issuer that is served here,
    /// or those that it publishes. `None` if they were never fetched.
    pub(crate) fn key_set(&self, served: Option<&Issuer>) -> Result<Option<JwkSet>, TokenError> {
        match (&self.keys, served) {
            (Some(keys), _) => Ok(Some(keys.clone())),
            (None, Some(issuer)) if issuer.url() == self.url => Ok(Some(issuer.key_set())),
            (None, _) => self.discovery.keys().transpose().map_err(TokenError::Unreachable),
        }
    }

    /// Whether its keys have to be fetched from the issuer.
    pub(crate) fn is_elsewhere(&self, served: Option<&Issuer>) -> bool {
        self.keys.is_none() && served.is_none_or(|issuer| issuer.url() != self.url)
    }
}
