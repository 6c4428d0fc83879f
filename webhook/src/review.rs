//! The AdmissionReview on the wire: `admission.k8s.io/v1` and `v1beta1`, which differ in nothing
//! that is used here.
//!
//! The types are our own because the object must stay raw, and because a patch has to be base64.
//! A review that is wrong in itself is still answered with its uid where one can be read: an
//! answer without it would be a denial to `v1beta1`, whatever the failure policy.

mod answer;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use answer::{Answer, Audit, Response, Status};

/// The versions that are spoken.
const VERSIONS: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];
const KIND: &str = "AdmissionReview";
/// The API server's uids have 36 characters.
const MAX_UID_LENGTH: usize = 256;

/// A review that was asked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    /// What is to be decided.
    #[serde(borrow)]
    pub request: Request<'a>,
}

/// The fields of a request that matter here. The object is not read yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// The answer's uid, too.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// What kind of object it is about.
    #[serde(default)]
    pub kind: Kind,
    /// Set when it is about a part of the object, as with `pods/ephemeralcontainers`.
    pub sub_resource: Option<String>,
    /// `CREATE`, `UPDATE`, ...
    #[serde(default)]
    pub operation: String,
    /// The object's namespace; the object itself may not name it yet.
    pub namespace: Option<String>,
    /// The object, raw.
    #[serde(borrow)]
    pub object: Option<&'a RawValue>,
    /// What the object was before, raw.
    #[serde(borrow)]
    pub old_object: Option<&'a RawValue>,
}

/// What a review is about, of all that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A pod is to be created.
    NewPod,
    /// A pod is given ephemeral containers, as `kubectl debug` does.
    EphemeralContainers,
}

/// A kind of object.
#[derive(Default, Deserialize)]
pub struct Kind {
    #[serde(default)]
    pub(crate) group: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) kind: String,
}

/// A review that cannot be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadReview {
    /// It has a uid, so it can be answered.
    Answerable {
        /// The answer's version.
        version: String,
        /// The answer's uid.
        uid: String,
        /// What is wrong, for its author.
        error: &'static str,
    },
    /// It has none: this is no review at all.
    Unanswerable,
}

/// What can be read of a review that is not what it should be.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Remains<'a> {
    #[serde(borrow)]
    api_version: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Uid {
    uid: String,
}

impl<'a> Review<'a> {
    /// Reads a request's body.
    ///
    /// # Errors
    /// When it is no AdmissionReview of a version that is spoken here, or has no request.
    pub fn read(body: &'a [u8]) -> Result<Self, BadReview> {
        let Ok(review) = serde_json::from_slice::<Self>(body) else {
            return Err(BadReview::salvaged(body, "the AdmissionReview cannot be read"));
        };
        let error = if review.kind != KIND {
            "this is no AdmissionReview"
        } else if !VERSIONS.contains(&&*review.api_version) {
            "this AdmissionReview is neither v1 nor v1beta1"
        } else if !is_uid(&review.request.uid) {
            return Err(BadReview::Unanswerable);
        } else {
            return Ok(review);
        };
        Err(BadReview::salvaged(body, error))
    }

    /// The version to answer in.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.api_version
    }
}

impl Request<'_> {
    /// What it is about; `None` where that is none of ours.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        let Kind { group, version, kind } = &self.kind;
        if (group.as_str(), version.as_str(), kind.as_str()) != ("", "v1", "Pod") {
            return None;
        }
        match (self.operation.as_str(), self.sub_resource.as_deref().unwrap_or_default()) {
            ("CREATE", "") => Some(Subject::NewPod),
            ("UPDATE", "ephemeralcontainers") => Some(Subject::EphemeralContainers),
            _ => None,
        }
    }
}

impl BadReview {
    fn salvaged(body: &[u8], error: &'static str) -> Self {
        Self::answerable(body, error).unwrap_or(Self::Unanswerable)
    }

    fn answerable(body: &[u8], error: &'static str) -> Option<Self> {
        let remains: Remains = serde_json::from_slice(body).ok()?;
        let Uid { uid } = serde_json::from_str(remains.request?.get()).ok()?;
        let version = remains
            .api_version
            .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
            .filter(|version| version.starts_with("admission.k8s.io/") && version.len() < 64);
        is_uid(&uid).then(|| Self::Answerable {
            version: version.unwrap_or_else(|| VERSIONS[0].to_owned()),
            uid,
            error,
        })
    }
}

fn is_uid(text: &str) -> bool {
    (1..=MAX_UID_LENGTH).contains(&text.len())
}

#[cfg(test)]
mod tests;
