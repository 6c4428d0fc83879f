//! The AdmissionReview on the wire: `admission.k8s.io/v1` and `v1beta1`, which do not differ in any
//! field that is used here.
//!
//! The types are our own, because the object must stay raw, and because the Kubernetes client's
//! response serializes a patch as an array of numbers, where API servers expect base64. An invalid
//! review is still answered with its uid if one can be read: for `v1beta1`, an answer without it is
//! a denial, whatever the failure policy.

mod answer;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use answer::{Answer, Audit, Response, Status};

/// The supported versions.
const VERSIONS: [&str; 2] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];
const KIND: &str = "AdmissionReview";
/// In bytes. The API server's uids have 36.
const MAX_UID_LENGTH: usize = 256;

/// A review as an API server sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Review<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    /// The request to decide about.
    #[serde(borrow)]
    pub request: Request<'a>,
}

/// The fields of a request that matter here. The object is not parsed yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// The uid that the answer must repeat.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The object's kind.
    #[serde(default)]
    pub kind: GroupVersionKind,
    /// Set if the request is about a subresource, as in `pods/ephemeralcontainers`.
    pub sub_resource: Option<String>,
    /// `CREATE`, `UPDATE`, ...
    #[serde(default)]
    pub operation: String,
    /// The object's namespace. The object itself may not have it yet.
    pub namespace: Option<String>,
    /// The object, raw.
    #[serde(borrow)]
    pub object: Option<&'a RawValue>,
    /// The object before an update, raw.
    #[serde(borrow)]
    pub old_object: Option<&'a RawValue>,
}

/// A change that this webhook decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A pod is created.
    NewPod,
    /// A pod gets ephemeral containers, as from `kubectl debug`.
    EphemeralContainers,
}

/// The kind of an object.
#[derive(Default, Deserialize)]
pub struct GroupVersionKind {
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
        /// What is wrong with it.
        error: &'static str,
    },
    /// It has no uid: this is not an AdmissionReview.
    Unanswerable,
}

/// The fields that are needed to answer an invalid review.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartialReview<'a> {
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
    /// Parses a request's body.
    ///
    /// # Errors
    /// If it is not an AdmissionReview of a supported version, or has no request.
    pub fn read(body: &'a [u8]) -> Result<Self, BadReview> {
        let Ok(review) = serde_json::from_slice::<Self>(body) else {
            return Err(BadReview::salvaged(body, "could not parse the AdmissionReview"));
        };
        let error = if review.kind != KIND {
            "not an AdmissionReview"
        } else if !VERSIONS.contains(&&*review.api_version) {
            "the AdmissionReview is neither v1 nor v1beta1"
        } else if !is_uid(&review.request.uid) {
            return Err(BadReview::Unanswerable);
        } else {
            return Ok(review);
        };
        Err(BadReview::salvaged(body, error))
    }

    /// The version of the review, which the answer must repeat.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.api_version
    }
}

impl Request<'_> {
    /// The change to decide about; `None` for any other object or operation.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        let GroupVersionKind { group, version, kind } = &self.kind;
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
        let partial: PartialReview = serde_json::from_slice(body).ok()?;
        let Uid { uid } = serde_json::from_str(partial.request?.get()).ok()?;
        let version = partial
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
