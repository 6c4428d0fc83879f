//! Where key sets are fetched from.

use jiff::Timestamp;
use serde::Deserialize;

use super::Keys;
use crate::{clock::Clock, cluster::Cluster, http_client};

/// Where the cluster's keys are published.
pub enum KeySource {
    /// A set that never changes, for demos and tests.
    Static(Keys),
    /// OIDC discovery at each issuer's URL. Each issuer's keys verify only its own tokens.
    Issuers(Vec<String>),
    /// The API server's `/openid/v1/jwks`. Its keys verify the tokens of every accepted issuer.
    ApiServer(Cluster),
    /// The same, and the issuer that the API server names, which may change.
    ApiServerAndIssuer(Cluster),
}

/// A key set could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not read the cluster's keys from {place}: {reason}")]
pub struct KeysError {
    place: String,
    reason: String,
}

#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
}

impl KeySource {
    /// Fetches the key set. If one of several issuers cannot be reached, its keys in `former` are
    /// kept.
    ///
    /// # Errors
    /// If no key set can be read.
    pub async fn fetch(&self, former: &Keys, clock: &Clock) -> Result<Keys, KeysError> {
        // The time before the request: a key published while it is under way may be missing.
        let asked = clock.now();
        match self {
            Self::Static(keys) => Ok(keys.clone()),
            Self::Issuers(issuers) => {
                let asked_all = issuers.iter().map(async |issuer| {
                    let keys = discover(issuer).await;
                    let keys = keys.and_then(|json| read(&json, Some(issuer), asked));
                    (issuer, keys.map_err(|reason| error(issuer, reason)))
                });
                combine(futures::future::join_all(asked_all).await, former, asked)
            }
            Self::ApiServer(cluster) => published(cluster, asked).await,
            Self::ApiServerAndIssuer(cluster) => {
                let (issuer, keys) = tokio::join!(cluster.issuer(), published(cluster, asked));
                let place = "the API server's /.well-known/openid-configuration";
                let issuer = issuer.map_err(|reason| error(place, reason))?;
                Ok(keys?.naming(issuer))
            }
        }
    }

    /// Whether the set names the accepted issuer.
    pub(crate) fn names_the_issuer(&self) -> bool {
        matches!(self, Self::ApiServerAndIssuer(_))
    }
}

async fn published(cluster: &Cluster, asked: Timestamp) -> Result<Keys, KeysError> {
    let json = cluster.get("/openid/v1/jwks").await;
    json.and_then(|json| read(json.as_bytes(), None, asked))
        .map_err(|reason| error("the API server's /openid/v1/jwks", reason))
}

/// Combines the issuers' keys. One issuer that cannot be reached must not affect the others' tokens.
/// While it cannot, the set keeps the fetch time of that issuer's keys, so that no unknown key of
/// its is reported as final.
fn combine(
    answers: Vec<(&String, Result<Keys, KeysError>)>,
    former: &Keys,
    asked: Timestamp,
) -> Result<Keys, KeysError> {
    let mut all = Keys::empty(asked);
    let mut errors = Vec::new();
    let several = answers.len() > 1;
    for (issuer, keys) in answers {
        all = all.and(keys.unwrap_or_else(|error| {
            if several {
                tracing::warn!(%error, "could not refresh an issuer's signing keys; keeping the current ones");
            }
            errors.push(error);
            former.of_issuer(issuer)
        }));
    }
    match errors.pop() {
        Some(error) if all.is_empty() || !several => Err(error),
        _ => Ok(all),
    }
}

fn error(place: &str, reason: String) -> KeysError {
    KeysError { place: place.to_owned(), reason }
}

fn read(json: &[u8], issuer: Option<&str>, asked: Timestamp) -> Result<Keys, String> {
    Keys::read(json, issuer, asked).map_err(|error| error.to_string())
}

/// Fetches the JWKS that an issuer's discovery document names.
async fn discover(issuer: &str) -> Result<Vec<u8>, String> {
    must_be_safe(issuer)?;
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = http_client::get(&url).await?;
    let document: DiscoveryDocument = serde_json::from_slice(&document)
        .map_err(|_| "its discovery document is not valid".to_owned())?;
    if document.issuer != issuer {
        return Err("its discovery document names another issuer".to_owned());
    }
    must_be_safe(&document.jwks_uri)?;
    http_client::get(&document.jwks_uri).await
}

/// Keys decide which tokens are accepted, so they are fetched by HTTPS or from loopback.
fn must_be_safe(url: &str) -> Result<(), String> {
    let uri: http::Uri = url.parse().map_err(|_| "it is not a URL".to_owned())?;
    let host = uri.host().unwrap_or_default();
    let loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&host);
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if loopback => Ok(()),
        _ => Err("keys are read over https only (or http on loopback)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_read_over_plain_http() {
        for url in [
            "https://a.example/x",
            "http://127.0.0.1:8080/x",
            "http://[::1]:1/",
            "http://localhost/",
        ] {
            assert_eq!(must_be_safe(url), Ok(()), "{url}");
        }
        for url in ["http://a.example/x", "http://localhost.example/", "ftp://a.example", "a", ""] {
            assert!(must_be_safe(url).is_err(), "{url}");
        }
    }
}
