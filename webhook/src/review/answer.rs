//! The answer to a review.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use json_patch::PatchOperation;
use podrole_identity::{CredentialProvider, RoleArn};
use serde::{Deserialize, Serialize};

use crate::{Outcome, metrics::provider_label};

/// A few short warnings are read and many long ones are not. Kubernetes recommends at most 120
/// characters, because the API server may cut longer ones and limits their total length.
const MAX_WARNINGS: usize = 3;
const MAX_WARNING_CHARS: usize = 120;

/// An answer in its wire format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The version of the review.
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
    /// The uid of the review.
    pub uid: String,
    /// Whether the pod is admitted.
    pub allowed: bool,
    /// The reason of a denial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// RFC 6902 operations as base64 of JSON; set if and only if `patch_type` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// `JSONPatch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_type: Option<String>,
    /// The warnings that the pod's author sees.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The annotations of the audit log: `path` (the credential provider), `role` and `reason`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub audit_annotations: BTreeMap<String, String>,
}

/// The reason of a denial, in the form that `kubectl` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The HTTP status that the pod's author receives.
    pub code: u16,
    /// One sentence.
    pub message: String,
    /// The machine-readable reason of Kubernetes.
    pub reason: String,
}

/// What the audit log records beside the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The credential provider of the pod's containers.
    pub provider: Option<CredentialProvider>,
    /// The role of the pod's ServiceAccount.
    pub role: Option<RoleArn>,
    /// The name of the resolver's denial, if the role cannot be used.
    pub denial: Option<&'static str>,
}

impl Answer {
    /// The answer for an outcome.
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
                // Cannot fail: operations consist of strings and JSON values.
                let json = serde_json::to_vec(operations).unwrap_or_default();
                response.patch = Some(STANDARD.encode(json));
                response.patch_type = Some("JSONPatch".to_owned());
                response.warnings = shown(warnings);
            }
            Outcome::Skip { warnings, .. } => response.warnings = shown(warnings),
            Outcome::Refuse { message, .. } => {
                response.allowed = false;
                response.status = Some(Status::forbidden(message));
            }
        }
        Self { api_version: version.to_owned(), kind: super::KIND.to_owned(), response }
    }
}

impl Response {
    /// Decodes the patch, to apply or show it. Empty without a patch.
    ///
    /// # Errors
    /// If the patch is not base64 of JSON Patch operations. An answer of [`Answer::new`] always is.
    pub fn operations(&self) -> Result<Vec<PatchOperation>, serde_json::Error> {
        let Some(patch) = &self.patch else {
            return Ok(Vec::new());
        };
        let json = STANDARD.decode(patch).map_err(serde::de::Error::custom)?;
        serde_json::from_slice(&json)
    }
}

impl Status {
    fn forbidden(message: &str) -> Self {
        Self {
            code: 403,
            message: format!("podrole: {}", printable(message)),
            reason: "Forbidden".to_owned(),
        }
    }
}

impl Audit {
    fn annotations(&self, outcome: &Outcome) -> BTreeMap<String, String> {
        let provider = self.provider.map(|it| ("path", provider_label(it).to_owned()));
        let role = self.role.as_ref().map(|role| ("role", role.to_string()));
        let reason = ("reason", outcome.reason().as_str().to_owned());
        let denial = self.denial.map(|name| ("denial", name.to_owned()));
        let all = provider.into_iter().chain(role).chain(denial).chain([reason]);
        all.map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// Warnings in the form that the API server accepts: it drops one with a control character.
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
