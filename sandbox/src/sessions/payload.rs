//! The part of a session token that says what the session is: JSON, because its fields are few and optional.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use jiff::Timestamp;
use podrole_identity::RoleArn;
use serde::{Deserialize, Serialize};

use super::{Grant, SessionAttributes};
use crate::{
    accounts::{Identity, Tags, UserArn},
    policy::IdentityPolicy,
};

/// Short names: some programs put the token into URLs.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    /// Random, so that no two sessions have the same credentials.
    n: String,
    /// The ARN of the role or user.
    o: String,
    /// The session name, if it is a role's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    /// Issued, in seconds since the epoch.
    i: i64,
    /// Expiration, in seconds since the epoch.
    e: i64,
    /// Session tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    t: BTreeMap<String, String>,
    /// Lower-case keys of the transitive tags.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    r: BTreeSet<String>,
    /// The source identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<String>,
    /// The session policy, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<String>,
    /// The ARN of the identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
}

pub(super) fn write(grant: &Grant, nonce: &[u8]) -> Vec<u8> {
    let attributes = &grant.attributes;
    let payload = Payload {
        n: STANDARD_NO_PAD.encode(nonce),
        o: grant.identity.owner_arn().to_owned(),
        s: grant.identity.session_name().map(str::to_owned),
        i: grant.issued.as_second(),
        e: grant.expiration.as_second(),
        t: attributes.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        r: attributes.transitive.clone(),
        u: attributes.source_identity.clone(),
        p: attributes.policy.as_ref().map(|policy| policy.text().to_owned()),
        f: attributes.provider.clone(),
    };
    // Maps with string keys always serialize.
    serde_json::to_vec(&payload).unwrap_or_default()
}

/// What `write` wrote. `None` for anything else.
pub(super) fn read(payload: &[u8]) -> Option<Grant> {
    let payload: Payload = serde_json::from_slice(payload).ok()?;
    let identity = match &payload.s {
        Some(name) => Identity::session(&payload.o.parse::<RoleArn>().ok()?, &name.parse().ok()?),
        None => Identity::user(&UserArn::read(&payload.o)?),
    };
    let mut tags = Tags::default();
    for (key, value) in &payload.t {
        tags.add(key, value).ok()?;
    }
    let policy = payload.p.map(|text| IdentityPolicy::read(&text)).transpose().ok()?;
    Some(Grant {
        identity,
        issued: Timestamp::from_second(payload.i).ok()?,
        expiration: Timestamp::from_second(payload.e).ok()?,
        attributes: SessionAttributes {
            tags,
            transitive: payload.r,
            source_identity: payload.u,
            policy,
            provider: payload.f,
        },
    })
}
