//! Where key sets come from.

use jiff::Timestamp;
use serde::Deserialize;

use super::Keys;
use crate::{clock::Clock, cluster::Cluster, http_client};

/// Where the cluster's keys are published.
pub enum KeySource {
    /// A set that never changes, for demos and tests.
    Static(Keys),
    /// OIDC discovery at each issuer's own URL; each issuer's keys stand for it alone.
    Issuers(Vec<String>),
    /// The API server's `/openid/v1/jwks`; its keys stand for every issuer of the rules.
    ApiServer(Cluster),
    /// The same, and the issuer that the API server names: it may come to name another.
    ApiServerAndIssuer(Cluster),
}

/// A key set that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cluster's keys cannot be read from {place}: {reason}")]
pub struct KeysError {
    place: String,
    reason: String,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl KeySource {
    /// Asks for the set as it is now. Of several issuers, one that cannot be asked keeps what
    /// `former` has of it.
    ///
    /// # Errors
    /// When nothing can be had, or what comes is no key set.
    pub async fn fetch(&self, former: &Keys, clock: &Clock) -> Result<Keys, KeysError> {
        // The set is as old as the question, not as the answer.
        let asked = clock.now();
        match self {
            Self::Static(keys) => Ok(keys.clone()),
            Self::Issuers(issuers) => {
                let asked_all = issuers.iter().map(async |issuer| {
                    let keys = discover(issuer).await;
                    let keys = keys.and_then(|json| read(&json, Some(issuer), asked));
                    (issuer, keys.map_err(|reason| error(issuer, reason)))
                });
                all_that_came(futures::future::join_all(asked_all).await, former, asked)
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

    /// Whether the set says which issuer is believed.
    pub(crate) fn names_the_issuer(&self) -> bool {
        matches!(self, Self::ApiServerAndIssuer(_))
    }
}

async fn published(cluster: &Cluster, asked: Timestamp) -> Result<Keys, KeysError> {
    let json = cluster.get("/openid/v1/jwks").await;
    json.and_then(|json| read(json.as_bytes(), None, asked))
        .map_err(|reason| error("the API server's /openid/v1/jwks", reason))
}

/// One issuer that is away, an old one perhaps, must not take the others' tokens along. As long as
/// it is, the set counts as old as what is known of it, so that no unknown key of its is final.
fn all_that_came(
    answers: Vec<(&String, Result<Keys, KeysError>)>,
    former: &Keys,
    asked: Timestamp,
) -> Result<Keys, KeysError> {
    let mut all = Keys::read_none(asked);
    let mut faults = Vec::new();
    let several = answers.len() > 1;
    for (issuer, keys) in answers {
        all = all.and(keys.unwrap_or_else(|error| {
            if several {
                tracing::warn!(%error, "this issuer's keys in hand stay");
            }
            faults.push(error);
            former.of_issuer(issuer)
        }));
    }
    match faults.pop() {
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

/// The JWKS that an issuer's discovery document names.
async fn discover(issuer: &str) -> Result<Vec<u8>, String> {
    must_be_safe(issuer)?;
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = http_client::get(&url).await?;
    let document: Discovery = serde_json::from_slice(&document)
        .map_err(|_| "its discovery document is not what OIDC says".to_owned())?;
    if document.issuer != issuer {
        return Err("its discovery document is of another issuer".to_owned());
    }
    must_be_safe(&document.jwks_uri)?;
    http_client::get(&document.jwks_uri).await
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
