//! Fetches an issuer's keys by OIDC discovery, as AWS does.
//!
//! ```text
//!   issuer ─► /.well-known/openid-configuration ─► jwks_uri ─► keys, kept for an hour
//! ```
//!
//! Only registered issuers are contacted, over https, or over http on the loopback address. An unknown
//! key triggers a new fetch, but at most one every five seconds: a caller with invented tokens must not
//! make the sandbox flood an issuer.

pub(crate) mod api_server;
mod documents;
mod error;

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Uri, uri::Scheme};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

pub(crate) use self::error::DiscoveryError;
use self::{api_server::ApiServer, documents::DocumentClient};
use crate::jwk::JwkSet;

/// How long keys are used without fetching them again.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(1);
/// The minimum time between two fetches from one issuer.
const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(5);

/// The cached keys of one issuer. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Discovery(Arc<IssuerState>);

/// `fetching` is held during a fetch, so that concurrent callers wait for its result.
#[derive(Default)]
struct IssuerState {
    fetching: tokio::sync::Mutex<()>,
    cache: Mutex<CachedKeys>,
}

#[derive(Clone, Default)]
struct CachedKeys {
    keys: Option<JwkSet>,
    error: Option<DiscoveryError>,
    fetched: Option<Timestamp>,
}

#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
}

impl CachedKeys {
    /// Whether to fetch the keys now, given that `kid` is needed.
    fn is_due(&self, kid: Option<&str>, now: Timestamp) -> bool {
        let Some(fetched) = self.fetched else {
            return true;
        };
        let age = now.duration_since(fetched);
        let has_key = self.keys.as_ref().is_some_and(|keys| kid.is_none_or(|kid| keys.has(kid)));
        age >= if has_key && self.error.is_none() { MAX_AGE } else { MIN_INTERVAL }
    }

    /// Stores the result of a fetch. Existing keys survive a failed one.
    fn store(&mut self, answer: Result<JwkSet, DiscoveryError>, now: Timestamp) {
        self.fetched = Some(now);
        match answer {
            Ok(keys) => (self.keys, self.error) = (Some(keys), None),
            Err(error) => self.error = Some(error),
        }
    }
}

impl Discovery {
    /// Fetches the issuer's keys if they are missing or old, or if `kid` is not among them. With an API
    /// server, its keys are used: pods cannot always reach the issuer's URL.
    pub(crate) async fn refresh(
        &self,
        url: &str,
        kid: Option<&str>,
        api_server: Option<&ApiServer>,
        now: Timestamp,
    ) {
        if !self.cache().is_due(kid, now) {
            return;
        }
        let _asking = self.0.fetching.lock().await;
        if !self.cache().is_due(kid, now) {
            return;
        }
        let answer = match api_server {
            Some(server) => server.keys().await,
            None => fetch(url).await,
        };
        if let Err(error) = &answer {
            tracing::warn!(
                issuer = url,
                %error,
                "could not fetch the issuer's keys; keeping the current ones"
            );
        }
        self.cache().store(answer, now);
    }

    /// The issuer's keys, or why there are none. `None` if they were never fetched.
    pub(crate) fn keys(&self) -> Option<Result<JwkSet, DiscoveryError>> {
        let cache = self.cache().clone();
        cache.keys.map(Ok).or(cache.error.map(Err))
    }

    fn cache(&self) -> MutexGuard<'_, CachedKeys> {
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery").finish_non_exhaustive()
    }
}

/// Whether keys may be fetched from the URL: https, or http on the loopback address.
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

async fn fetch(url: &str) -> Result<JwkSet, DiscoveryError> {
    if !is_fetchable(url) {
        return Err(DiscoveryError::NotFetchable(url.to_owned()));
    }
    // A new client each time: one fetch an hour does not need a pool of connections.
    let documents = DocumentClient::new()?;
    let at = format!("{}/.well-known/openid-configuration", url.trim_end_matches('/'));
    let document: DiscoveryDocument = documents.get(&at, None).await?;
    if document.issuer != url {
        return Err(DiscoveryError::OtherIssuer { url: at, issuer: document.issuer });
    }
    if !is_fetchable(&document.jwks_uri) {
        return Err(DiscoveryError::JwksUri(at));
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
    fn only_https_and_loopback_urls_are_fetched() {
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
    fn keys_are_fetched_once_an_hour_and_at_most_every_five_seconds_for_unknown_ids() {
        let mut cache = CachedKeys::default();
        assert!(cache.is_due(Some("a"), at(0)));
        cache.store(Ok(keys()), at(0));
        assert!(!cache.is_due(Some("a"), at(3599)) && cache.is_due(Some("a"), at(3600)));
        assert!(!cache.is_due(Some("b"), at(4)) && cache.is_due(Some("b"), at(5)));
    }

    #[test]
    fn keys_survive_an_outage() {
        let mut cache = CachedKeys::default();
        cache.store(Ok(keys()), at(0));
        cache.store(Err(DiscoveryError::Token), at(3600));
        assert!(cache.keys.as_ref().unwrap().has("a"));
        assert!(!cache.is_due(Some("a"), at(3604)) && cache.is_due(Some("a"), at(3605)));
    }

    #[tokio::test]
    async fn an_unreachable_issuer_is_an_error() {
        // Nothing listens on port 1.
        let url = "http://127.0.0.1:1";
        let discovery = Discovery::default();
        assert!(discovery.keys().is_none());
        discovery.refresh(url, Some("a"), None, at(0)).await;
        let error = discovery.keys().unwrap().unwrap_err().to_string();
        assert!(error.contains("/.well-known/openid-configuration"), "{error}");
    }
}
