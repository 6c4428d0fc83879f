//! The answer to a review.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use json_patch::PatchOperation;
use podrole_identity::{CredentialProvider, RoleArn};
use serde::{Deserialize, Serialize};

use crate::Outcome;

/// The API server shows no more of a webhook, and cuts what is longer.
const MAX_WARNINGS: usize = 3;
const MAX_WARNING_CHARS: usize = 120;

/// An answer as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The version of the review that is answered.
    pub api_version: String,
    /// `AdmissionReview`.
    pub kind: String,
    /// The decision.
    pub response: Response,
}

/// The decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The uid of the review that is answered.
    pub uid: String,
    /// Whether the pod is admitted.
    pub allowed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// RFC 6902 operations as base64 of JSON; there with `patch_type` or not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// `JSONPatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_type: Option<String>,
    /// What the pod's author is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What the cluster's audit log keeps: `path`, `role` and `reason`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub audit_annotations: BTreeMap<String, String>,
}

/// Why a pod was refused, in the form that `kubectl` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The HTTP status that the pod's author gets.
    pub code: u16,
    /// One sentence.
    pub message: String,
    /// Kubernetes' word for it.
    pub reason: String,
}

/// What the audit log keeps beside the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The way that the pod goes.
    pub path: Option<CredentialProvider>,
    /// The role that its ServiceAccount names.
    pub role: Option<RoleArn>,
    /// The name of the resolver's denial, if the role cannot be used.
    pub denial: Option<&'static str>,
}

impl Answer {
    /// The answer that says `outcome`.
    #[must_use]
    pub fn new(version: &str, uid: &str, outcome: &Outcome, audit: &Audit) -> Self {
        let mut response = Response {
            uid: uid.to_owned(),
            allowed: true,
            status: None,
            patch: None,
            patch_type: None,
            warnings: Vec::new(),
            audit_annotations: audit.annotations(outcome),
        };
        match outcome {
            Outcome::Patch { operations, warnings } => {
                // Operations are made of strings, so they can always be written.
                let json = serde_json::to_vec(operations).unwrap_or_default();
                response.patch = Some(STANDARD.encode(json));
                response.patch_type = Some("JSONPatch".to_owned());
                response.warnings = shown(warnings);
            }
            Outcome::Skip { warnings, .. } => response.warnings = shown(warnings),
            Outcome::Refuse { message, .. } => {
                response.allowed = false;
                response.status = Some(Status::refused(message));
            }
        }
        Self { api_version: version.to_owned(), kind: super::KIND.to_owned(), response }
    }
}

impl Response {
    /// The patch's operations, for who wants to apply or show them; none without a patch.
    ///
    /// # Errors
    /// When the patch is not base64 of operations, which no answer of ours is.
    pub fn operations(&self) -> Result<Vec<PatchOperation>, serde_json::Error> {
        let Some(patch) = &self.patch else {
            return Ok(Vec::new());
        };
        let json = STANDARD.decode(patch).map_err(serde::de::Error::custom)?;
        serde_json::from_slice(&json)
    }
}

impl Status {
    fn refused(message: &str) -> Self {
        Self {
            code: 403,
            message: format!("podrole: {}", printable(message)),
            reason: "Forbidden".to_owned(),
        }
    }
}

impl Audit {
    fn annotations(&self, outcome: &Outcome) -> BTreeMap<String, String> {
        let path = self.path.map(|path| ("path", path.to_string()));
        let role = self.role.as_ref().map(|role| ("role", role.to_string()));
        let reason = ("reason", outcome.reason().as_str().to_owned());
        let denial = self.denial.map(|name| ("denial", name.to_owned()));
        let all = path.into_iter().chain(role).chain(denial).chain([reason]);
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// Warnings as the API server takes them: one with a control character would be dropped whole.
fn shown(warnings: &[String]) -> Vec<String> {
    let shown = warnings.iter().take(MAX_WARNINGS);
    let shown = shown.map(|warning| format!("podrole: {}", printable(warning)));
    shown.map(|warning| cut(&warning)).collect()
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_WARNING_CHARS {
        return text.to_owned();
    }
    let kept = text.chars().take(MAX_WARNING_CHARS - 2);
    kept.chain("..".chars()).collect()
}
