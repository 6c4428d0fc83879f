//! Keys of issuers that are known by URL: OIDC discovery, as AWS does it.
//!
//! ```text
//!   issuer ─► /.well-known/openid-configuration ─► jwks_uri ─► keys, kept for an hour
//! ```
//!
//! Only issuers that are registered are asked, over https, or over http on this machine. An unknown
//! key asks again, but seldom: a caller with invented tokens shall not make us a nuisance.

pub(crate) mod api_server;
mod documents;

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Uri, uri::Scheme};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use self::{api_server::ApiServer, documents::DocumentClient};
use crate::jwk::JwkSet;

/// How long keys are believed without asking again.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// The least time between two questions to one issuer.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// What is known of one issuer's keys. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Discovery(Arc<IssuerState>);

/// Whoever asks the issuer holds the lock, and others wait for the answer.
#[derive(Default)]
struct IssuerState {
    asking: tokio::sync::Mutex<()>,
    held: Mutex<CachedKeys>,
}

#[derive(Clone, Default)]
struct CachedKeys {
    keys: Option<JwkSet>,
    error: Option<String>,
    asked: Option<Timestamp>,
}

#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
}

impl CachedKeys {
    /// Whether the issuer is to be asked for this key now.
    fn is_due(&self, kid: Option<&str>, now: Timestamp) -> bool {
        let Some(asked) = self.asked else {
            return true;
        };
        let age = now.duration_since(asked);
        let known = self.keys.as_ref().is_some_and(|keys| kid.is_none_or(|kid| keys.has(kid)));
        age >= if known && self.error.is_none() { KEPT } else { PAUSE }
    }

    /// What an answer leaves. Keys that are there outlive an outage.
    fn take(&mut self, answer: Result<JwkSet, String>, now: Timestamp) {
        self.asked = Some(now);
        match answer {
            Ok(keys) => (self.keys, self.error) = (Some(keys), None),
            Err(error) => self.error = Some(error),
        }
    }
}

impl Discovery {
    /// Sees to it that the issuer's keys are known, this one among them where the issuer has it.
    /// The API server of the cluster that has this issuer is asked instead, if there is one.
    pub(crate) async fn prepare(
        &self,
        url: &str,
        kid: Option<&str>,
        api_server: Option<&ApiServer>,
        now: Timestamp,
    ) {
        if !self.held().is_due(kid, now) {
            return;
        }
        let _asking = self.0.asking.lock().await;
        if !self.held().is_due(kid, now) {
            return;
        }
        let answer = match api_server {
            Some(server) => server.keys().await,
            None => fetch(url).await,
        };
        if let Err(error) = &answer {
            tracing::warn!(issuer = url, %error, "the issuer's keys could not be had");
        }
        self.held().take(answer, now);
    }

    /// The issuer's keys; or why there are none. Nothing: it was never asked.
    pub(crate) fn keys(&self) -> Option<Result<JwkSet, String>> {
        let held = self.held().clone();
        held.keys.map(Ok).or(held.error.map(Err))
    }

    fn held(&self) -> MutexGuard<'_, CachedKeys> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").finish_non_exhaustive()
    }
}

/// Whether keys are fetched from such a URL: https, or http on this machine.
pub(crate) fn is_fetchable(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    !host.is_empty()
        && (uri.scheme() == Some(&Scheme::HTTPS)
            || (uri.scheme() == Some(&Scheme::HTTP) && loopback))
}

async fn fetch(url: &str) -> Result<JwkSet, String> {
    if !is_fetchable(url) {
        return Err(format!("{url}: keys are fetched over https, or http on loopback"));
    }
    // A new client each time: issuers are asked once an hour.
    let documents = DocumentClient::new()?;
    let at = format!("{}/.well-known/openid-configuration", url.trim_end_matches('/'));
    let document: DiscoveryDocument = documents.get(&at, None).await?;
    if document.issuer != url {
        return Err(format!("{at} is the document of another issuer"));
    }
    if !is_fetchable(&document.jwks_uri) {
        return Err(format!("{at}: its jwks_uri is neither https nor http on loopback"));
    }
    documents.get(&document.jwks_uri, None).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn keys() -> JwkSet {
        JwkSet::read(r#"{"keys": [{"kty": "RSA", "kid": "a"}]}"#).unwrap()
    }

    #[test]
    fn only_https_or_this_machine_is_asked() {
        for (url, wanted) in [
            ("https://oidc.example/id", true),
            ("http://127.0.0.1:4566", true),
            ("http://localhost:1/a", true),
            ("http://[::1]:4566", true),
            ("http://oidc.example", false),
            ("http://127.0.0.1.example", false),
            ("http://169.254.169.254", false),
            ("file:///etc/passwd", false),
            ("oidc.example", false),
            ("https://", false),
        ] {
            assert_eq!(is_fetchable(url), wanted, "{url}");
        }
    }

    #[test]
    fn an_issuer_is_asked_once_an_hour_and_for_unknown_keys_seldom() {
        let mut held = CachedKeys::default();
        assert!(held.is_due(Some("a"), at(0)));
        held.take(Ok(keys()), at(0));
        assert!(!held.is_due(Some("a"), at(3599)) && held.is_due(Some("a"), at(3600)));
        assert!(!held.is_due(Some("b"), at(4)) && held.is_due(Some("b"), at(5)));
    }

    #[test]
    fn keys_outlive_an_outage() {
        let mut held = CachedKeys::default();
        held.take(Ok(keys()), at(0));
        held.take(Err("away".to_owned()), at(3600));
        assert!(held.keys.as_ref().unwrap().has("a"));
        assert!(!held.is_due(Some("a"), at(3604)) && held.is_due(Some("a"), at(3605)));
    }

    #[tokio::test]
    async fn an_issuer_that_is_away_is_told_so() {
        // Nothing listens on port 1.
        let url = "http://127.0.0.1:1";
        let discovery = Discovery::default();
        assert!(discovery.keys().is_none());
        discovery.prepare(url, Some("a"), None, at(0)).await;
        let error = discovery.keys().unwrap().unwrap_err();
        assert!(error.contains("/.well-known/openid-configuration"), "{error}");
    }
}
