//! The first look at a pod: whose it is, and whether it wants anything at all. Nine pods in ten
//! want nothing, and of those nothing else is read.

use std::{borrow::Cow, collections::BTreeMap};

use podrole_identity::{SECRET_ANNOTATION_PREFIX, pod_opts_out};
use serde::{Deserialize, de::IgnoredAny};

use super::{PodError, nullable};

/// The little of a pod that decides whether the rest is read.
#[derive(Default, Deserialize)]
pub struct PodHead<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    metadata: Metadata<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    spec: Spec<'a>,
}

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    annotations: BTreeMap<Cow<'a, str>, IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    service_account_name: Option<Cow<'a, str>>,
}

impl<'a> PodHead<'a> {
    /// Reads a pod's JSON so far.
    ///
    /// # Errors
    /// When a field that matters is not of its kind.
    pub fn read(json: &'a str) -> Result<Self, PodError> {
        super::read(json)
    }

    /// Its ServiceAccount's name: `default` where it names none, as Kubernetes has it.
    #[must_use]
    pub fn service_account(&self) -> &str {
        let name = self.spec.service_account_name.as_deref();
        name.filter(|name| !name.is_empty()).unwrap_or("default")
    }

    /// Whether a label of its own keeps podrole away.
    #[must_use]
    pub fn opted_out(&self) -> bool {
        let labels = &self.metadata.labels;
        pod_opts_out(|name| labels.get(name).map(AsRef::as_ref))
    }

    /// Whether it asks for Secrets of its own.
    #[must_use]
    pub fn asks_for_secrets(&self) -> bool {
        self.metadata.annotations.keys().any(|key| key.starts_with(SECRET_ANNOTATION_PREFIX))
    }
}
