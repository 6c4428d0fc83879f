//! OIDC providers, and where the keys of their issuers are.

use jiff::Timestamp;
use podrole_identity::Audience;

use super::Tags;
use crate::{discovery::Discovery, issuer::Issuer, jwk::JwkSet, token::TokenError};

/// An OIDC provider of an account.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The issuer, exactly as tokens carry it in `iss`.
    pub url: String,
    /// The audiences that it takes.
    pub client_ids: Vec<Audience>,
    /// The issuer's keys. `None`: those of the issuer that this sandbox serves, if it has that URL,
    /// else those that the issuer publishes.
    pub keys: Option<JwkSet>,
    /// The certificates that IAM would believe. Only kept: nothing here looks at them.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: Tags,
    /// When it was made; 1970 for those of a file.
    pub created: Timestamp,
    /// The keys that the issuer itself publishes, where they are looked for there.
    pub(crate) discovery: Discovery,
}

impl Provider {
    /// A provider that takes those audiences, and has the keys of the issuer that is served here.
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

    /// With keys of its own.
    #[must_use]
    pub fn with_keys(mut self, keys: JwkSet) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Its ARN in an account: the issuer without its scheme.
    pub(crate) fn arn(&self, partition: &str, account: &str) -> String {
        let issuer = self.issuer();
        format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}")
    }

    /// The issuer as condition keys have it: without its scheme.
    pub(crate) fn issuer(&self) -> &str {
        let url = self.url.strip_prefix("https://");
        url.or_else(|| self.url.strip_prefix("http://")).unwrap_or(&self.url)
    }

    /// The keys that its tokens are checked with: its own; else those of the issuer that is served
    /// here; else those that it publishes. Nothing: it was never asked for them.
    pub(crate) fn key_set(&self, served: Option<&Issuer>) -> Result<Option<JwkSet>, TokenError> {
        match (&self.keys, served) {
            (Some(keys), _) => Ok(Some(keys.clone())),
            (None, Some(issuer)) if issuer.url() == self.url => Ok(Some(issuer.key_set())),
            (None, _) => self.discovery.keys().transpose().map_err(TokenError::Unreachable),
        }
    }

    /// Whether its keys are to be had from nowhere but itself.
    pub(crate) fn is_elsewhere(&self, served: Option<&Issuer>) -> bool {
        self.keys.is_none() && served.is_none_or(|issuer| issuer.url() != self.url)
    }
}
