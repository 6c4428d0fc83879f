//! What is published: the keys of all API servers, and former ones for as long as their tokens may live.
//!
//! ```text
//!   API servers ─► layout: issuer, paths ─► the former publication ─► merged ─► three files
//! ```

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    documents::{DISCOVERY, Discovery, ServerDocuments},
    issuer_url::{IssuerUrl, IssuerUrlError, TrailingSlash},
    key::{self, KeySet, KeySetError},
    records::{KeyRecord, RECORDS, Records},
};

/// The most keys of a type that IAM reads.
const MOST_OF_A_TYPE: usize = 100;
/// The field of a discovery document that lists the algorithms of its keys.
const ALGORITHMS: &str = "id_token_signing_alg_values_supported";

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) issuer: IssuerUrl,
    /// The path of the keys below the issuer.
    pub(crate) jwks_path: String,
}

/// What was published before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Former {
    pub(crate) keys: Option<KeySet>,
    pub(crate) discovery: Option<Discovery>,
    pub(crate) records: Records,
}

/// What is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    /// The text of the key set.
    pub(crate) jwks: String,
    pub(crate) discovery: String,
    pub(crate) records: Records,
    /// Whether keys were published, and none of them is this cluster's.
    pub(crate) is_foreign: bool,
    /// The IDs of keys that are removed.
    pub(crate) removed: Vec<String>,
}

/// Why nothing is published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(
        "the API server's issuer {0} cannot be published: {1}; set --service-account-issuer of every API server to the \
         public URL, for example https://BUCKET.s3.REGION.amazonaws.com/CLUSTER"
    )]
    Issuer(String, IssuerUrlError),
    #[error(
        "the issuer {0} ends with a slash; if the claim iss of tokens does too, add --trailing-slash, else set \
         --service-account-issuer without it"
    )]
    TrailingSlash(String),
    #[error(
        "{one} has the issuer {one_issuer}, {other} has {other_issuer}; set the first --service-account-issuer of both to \
         one URL"
    )]
    Issuers { one: String, one_issuer: String, other: String, other_issuer: String },
    #[error("{one} has the jwks_uri {one_uri}, {other} has {other_uri}; set both to one URL")]
    JwksUris { one: String, one_uri: String, other: String, other_uri: String },
    #[error(
        "the API server's jwks_uri {jwks_uri} is not a file below the issuer; start it with \
         --service-account-jwks-uri={should_be}"
    )]
    JwksUri { jwks_uri: String, should_be: String },
    #[error("no API server was read")]
    NoServer,
    #[error("the API servers' keys: {0}")]
    Keys(KeySetError),
    #[error(
        "none of the API servers' keys is one for RS256/384/512 or ES256/384/512, which STS needs"
    )]
    NoUsableKey,
    #[error(
        "{count} keys of type {kty} would be published, and IAM reads at most {MOST_OF_A_TYPE}"
    )]
    TooMany { kty: String, count: usize },
    #[error(
        "the issuer {published} is published there, and this cluster's is {ours}; give each cluster a folder or prefix of \
         its own"
    )]
    OtherIssuer { published: String, ours: String },
    #[error(
        "key {0} of the API server is published with other content; remove it from the published set if the API server is \
         right"
    )]
    Changed(String),
}

/// Finds out where the files belong.
///
/// # Errors
/// If the API servers disagree, or if IAM could not use the issuer.
pub(crate) fn layout(servers: &[ServerDocuments], slash: TrailingSlash) -> Result<Layout, Refusal> {
    let first = servers.first().ok_or(Refusal::NoServer)?;
    for other in servers {
        let (one, another) = (&first.discovery, &other.discovery);
        if one.issuer != another.issuer {
            return Err(Refusal::Issuers {
                one: first.server.clone(),
                one_issuer: one.issuer.clone(),
                other: other.server.clone(),
                other_issuer: another.issuer.clone(),
            });
        }
        if one.jwks_uri != another.jwks_uri {
            return Err(Refusal::JwksUris {
                one: first.server.clone(),
                one_uri: one.jwks_uri.clone(),
                other: other.server.clone(),
                other_uri: another.jwks_uri.clone(),
            });
        }
    }
    let Discovery { issuer, jwks_uri, .. } = &first.discovery;
    let issuer = IssuerUrl::read(issuer, slash).map_err(|error| match error {
        IssuerUrlError::TrailingSlash => Refusal::TrailingSlash(issuer.clone()),
        error => Refusal::Issuer(issuer.clone(), error),
    })?;
    let path = issuer.path_below(jwks_uri).filter(|path| ![DISCOVERY, RECORDS].contains(path));
    let Some(path) = path else {
        let should_be = issuer.of_file(super::documents::API_SERVER_KEYS);
        return Err(Refusal::JwksUri { jwks_uri: jwks_uri.clone(), should_be });
    };
    Ok(Layout { jwks_path: path.to_owned(), issuer })
}

/// Merges the keys of all API servers with the former publication. Keys that all API servers have lacked for longer than
/// `keep` are left out.
///
/// # Errors
/// If the result could not be used, or if something else is published there.
pub(crate) fn merged(
    servers: &[ServerDocuments],
    former: &Former,
    keep: SignedDuration,
    now: Timestamp,
) -> Result<Publication, Refusal> {
    let first = servers.first().ok_or(Refusal::NoServer)?;
    let ours = &first.discovery.issuer;
    if let Some(published) = &former.discovery
        && published.issuer != *ours
    {
        let published = published.issuer.clone();
        return Err(Refusal::OtherIssuer { published, ours: ours.clone() });
    }
    let mut current = KeySet::new();
    for key in servers.iter().flat_map(|server| server.keys.values()) {
        key::add(&mut current, key.clone()).map_err(Refusal::Keys)?;
    }
    if !current.values().any(key::Key::is_usable) {
        return Err(Refusal::NoUsableKey);
    }
    let published = former.keys.clone().unwrap_or_default();
    let common = || published.keys().any(|kid| current.contains_key(kid));
    let is_foreign = !published.is_empty() && !common();
    let mut keys = current.clone();
    let (mut records, mut removed) = (Vec::new(), Vec::new());
    for (kid, key) in published {
        if let Some(ours) = current.get(&kid) {
            if !ours.is_same(&key) {
                return Err(Refusal::Changed(kid));
            }
            continue;
        }
        let record = former.records.find(&kid);
        let last_seen = record.and_then(|it| it.last_seen).unwrap_or(now);
        if now.duration_since(last_seen) > keep {
            removed.push(kid);
            continue;
        }
        let first_seen = record.map_or(now, |it| it.first_seen);
        records.push(KeyRecord { kid: kid.clone(), first_seen, last_seen: Some(last_seen) });
        keys.insert(kid, key);
    }
    for kid in current.keys() {
        let first_seen = former.records.find(kid).map_or(now, |it| it.first_seen);
        records.push(KeyRecord { kid: kid.clone(), first_seen, last_seen: None });
    }
    records.sort_by(|one, other| one.kid.cmp(&other.kid));
    check_counts(&keys)?;
    Ok(Publication {
        jwks: jwks(&keys),
        discovery: discovery(servers, &keys, &first.discovery),
        records: Records { keys: records },
        is_foreign,
        removed,
    })
}

fn check_counts(keys: &KeySet) -> Result<(), Refusal> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for key in keys.values() {
        *counts.entry(key.kty()).or_default() += 1;
    }
    match counts.into_iter().find(|(_, count)| *count > MOST_OF_A_TYPE) {
        Some((kty, count)) => Err(Refusal::TooMany { kty: kty.to_owned(), count }),
        None => Ok(()),
    }
}

fn jwks(keys: &KeySet) -> String {
    let keys: Vec<_> = keys.values().map(key::Key::jwk).collect();
    text(&json!({ "keys": keys }))
}

/// The first API server's document, with the algorithms of all keys.
fn discovery(servers: &[ServerDocuments], keys: &KeySet, first: &Discovery) -> String {
    let listed = servers.iter().filter_map(|it| it.discovery.fields.get(ALGORITHMS));
    let listed = listed.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    let of_keys = keys.values().filter_map(key::Key::alg);
    let algorithms: BTreeSet<&str> = listed.chain(of_keys).collect();
    let mut fields = first.fields.clone();
    fields.insert(ALGORITHMS.to_owned(), json!(algorithms));
    text(&Value::Object(fields))
}

/// A document's text: the same content gives the same bytes.
pub(crate) fn text(document: &Value) -> String {
    format!("{document:#}\n")
}

#[cfg(test)]
mod tests;
