//! The claims of a token whose signature is known to be good.

use jiff::Timestamp;
use podrole_identity::ServiceAccountRef;
use serde::Deserialize;

use super::{Caller, Rules, SKEW, TokenError, rules::EARLY};
use crate::keys::Keys;

#[derive(Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<OneOrMany>,
    exp: Option<i64>,
    nbf: Option<i64>,
    iat: Option<i64>,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<KubernetesClaims>,
    #[serde(rename = "kubernetes.io/serviceaccount/namespace")]
    legacy: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct KubernetesClaims {
    namespace: Option<String>,
    pod: Option<ObjectClaim>,
    serviceaccount: Option<ObjectClaim>,
    node: Option<NodeClaim>,
}

#[derive(Deserialize)]
struct ObjectClaim {
    name: String,
    uid: String,
}

#[derive(Deserialize)]
struct NodeClaim {
    name: String,
}

impl Claims {
    /// Whether they name an accepted issuer. Without a verified signature this proves nothing.
    pub(super) fn is_of(&self, keys: &Keys, rules: &Rules) -> bool {
        self.iss.as_ref().is_some_and(|named| rules.issuers.contains(named) || keys.names(named))
    }

    pub(super) fn issued(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.iat?).ok()
    }
}

/// Checks the claims against the rules and the issuers that the key set names. `issuer` is set if
/// the key verifies only that issuer's tokens.
pub(super) fn check(
    claims: Claims,
    issuer: Option<&str>,
    keys: &Keys,
    rules: &Rules,
    now: Timestamp,
) -> Result<Caller, TokenError> {
    if claims.legacy.is_some() {
        return Err(TokenError::Legacy);
    }
    let (accepted, issued) = (claims.is_of(keys, rules), claims.issued());
    let named = claims.iss.ok_or(TokenError::Missing("iss"))?;
    if !accepted || issuer.is_some_and(|only| only != named) {
        return Err(TokenError::Issuer { issued });
    }
    let expires = check_times(claims.exp, claims.nbf, now)?;
    let audiences = read_audiences(claims.aud)?;
    let listed_audience = check_audiences(&audiences, rules)?;
    let subject = claims.sub.ok_or(TokenError::Missing("sub"))?;
    let kubernetes = claims.kubernetes;
    let kubernetes = kubernetes.ok_or(TokenError::Missing("kubernetes.io"))?;
    let (service_account, service_account_uid) = check_service_account(&subject, &kubernetes)?;
    let pod = kubernetes.pod.ok_or(TokenError::NoPod)?;
    if !is_object_name(&pod.name) || pod.uid.is_empty() {
        return Err(TokenError::NoPod);
    }
    Ok(Caller {
        service_account,
        service_account_uid,
        pod_name: pod.name,
        pod_uid: pod.uid,
        node: kubernetes.node.map(|node| node.name),
        issuer: named,
        key_id: None,
        audiences,
        listed_audience,
        expires,
    })
}

fn check_times(
    exp: Option<i64>,
    nbf: Option<i64>,
    now: Timestamp,
) -> Result<Timestamp, TokenError> {
    let read = |seconds| Timestamp::from_second(seconds).map_err(|_| TokenError::Malformed);
    let expires = read(exp.ok_or(TokenError::Missing("exp"))?)?;
    if now.duration_since(expires) >= SKEW {
        return Err(TokenError::Expired);
    }
    if let Some(begins) = nbf.map(read).transpose()?
        && begins.duration_since(now) > EARLY
    {
        return Err(TokenError::NotYet);
    }
    Ok(expires)
}

fn read_audiences(aud: Option<OneOrMany>) -> Result<Vec<String>, TokenError> {
    let mut audiences = match aud {
        None => Vec::new(),
        Some(OneOrMany::One(one)) => vec![one],
        Some(OneOrMany::Many(many)) => many,
    };
    if audiences.is_empty() {
        return Err(TokenError::Missing("aud"));
    }
    audiences.sort_unstable();
    audiences.dedup();
    Ok(audiences)
}

fn check_audiences(audiences: &[String], rules: &Rules) -> Result<bool, TokenError> {
    let mut listed = rules.audiences.iter();
    let listed = listed.any(|accepted| audiences.iter().any(|named| named == accepted.as_str()));
    let first = rules.audiences.first();
    (listed || rules.own_audiences).then_some(listed).ok_or_else(|| TokenError::Audience {
        wanted: first.map(ToString::to_string).unwrap_or_default(),
    })
}

/// `sub` and the `kubernetes.io` claims must name the same ServiceAccount.
fn check_service_account(
    subject: &str,
    kubernetes: &KubernetesClaims,
) -> Result<(ServiceAccountRef, String), TokenError> {
    let service_account =
        ServiceAccountRef::from_subject(subject).map_err(|_| TokenError::Subject)?;
    let named = kubernetes.serviceaccount.as_ref();
    let named = named.ok_or(TokenError::Missing("kubernetes.io/serviceaccount"))?;
    let same = kubernetes.namespace.as_deref() == Some(service_account.namespace())
        && named.name == service_account.name();
    if !same {
        return Err(TokenError::Subject);
    }
    if named.uid.is_empty() {
        return Err(TokenError::Missing("kubernetes.io/serviceaccount/uid"));
    }
    Ok((service_account, named.uid.clone()))
}

/// Whether the name can be part of an API server's path: a pod is looked up by it.
fn is_object_name(name: &str) -> bool {
    let legal =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (1..=253).contains(&name.len()) && name.bytes().all(legal) && !name.starts_with('.')
}
