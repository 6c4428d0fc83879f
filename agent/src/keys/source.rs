//! Where key sets come from.

use serde::Deserialize;

use super::Keys;
use crate::{clock::Clock, cluster::Cluster, outbound};

/// Where the cluster's keys are published.
pub enum KeySource {
    /// A set that never changes, for demos and tests.
    Static(Keys),
    /// OIDC discovery at each issuer's own URL; each issuer's keys stand for it alone.
    Issuers(Vec<String>),
    /// The API server's `/openid/v1/jwks`; its keys stand for every issuer of the rules.
    ApiServer(Cluster),
}

/// A key set that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cluster's keys cannot be read from {place}: {reason}")]
pub struct KeysFault {
    place: String,
    reason: String,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl KeySource {
    /// Asks for the set as it is now.
    ///
    /// # Errors
    /// When it cannot be had, or is no key set.
    pub async fn fetch(&self, clock: &Clock) -> Result<Keys, KeysFault> {
        // The set is as old as the question, not as the answer.
        let asked = clock.now();
        match self {
            Self::Static(keys) => Ok(keys.clone()),
            Self::Issuers(issuers) => {
                let mut all = Keys::read_none(asked);
                for issuer in issuers {
                    let keys = discover(issuer).await;
                    let keys = keys.and_then(|json| read(&json, Some(issuer), asked));
                    all = all.and(keys.map_err(|reason| fault(issuer, reason))?);
                }
                Ok(all)
            }
            Self::ApiServer(cluster) => {
                let json = cluster.get("/openid/v1/jwks").await;
                json.and_then(|json| read(json.as_bytes(), None, asked))
                    .map_err(|reason| fault("the API server's /openid/v1/jwks", reason))
            }
        }
    }
}

fn fault(place: &str, reason: String) -> KeysFault {
    KeysFault { place: place.to_owned(), reason }
}

fn read(json: &[u8], issuer: Option<&str>, asked: jiff::Timestamp) -> Result<Keys, String> {
    Keys::read(json, issuer, asked).map_err(|fault| fault.to_string())
}

/// The JWKS that an issuer's discovery document names.
async fn discover(issuer: &str) -> Result<Vec<u8>, String> {
    must_be_safe(issuer)?;
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = outbound::get(&url).await?;
    let document: Discovery = serde_json::from_slice(&document)
        .map_err(|_| "its discovery document is not what OIDC says".to_owned())?;
    if document.issuer != issuer {
        return Err("its discovery document is of another issuer".to_owned());
    }
    must_be_safe(&document.jwks_uri)?;
    outbound::get(&document.jwks_uri).await
}

/// Keys decide who is believed, so they travel by HTTPS, or not at all over a wire.
fn must_be_safe(url: &str) -> Result<(), String> {
    let uri: http::Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
    let host = uri.host().unwrap_or_default();
    let loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&host);
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if loopback => Ok(()),
        _ => Err("keys are read by https only (http on loopback)".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_travel_in_the_clear() {
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
