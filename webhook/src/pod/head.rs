//! A pod's ServiceAccount and what decides whether more of the pod has to be read. On most clusters
//! nine pods in ten have no role, and for them this is all that is parsed.

use std::{borrow::Cow, collections::BTreeMap};

use podrole_identity::{
    AnnotationPrefix, NearMiss, Place, SECRET_ANNOTATION_PREFIX, ServiceAccountRef, near_misses,
    pod_opts_out,
};
use serde::{Deserialize, de::IgnoredAny};

use super::parse::{PodError, nullable, parse};

/// The fields of a pod that decide whether the rest is parsed.
#[derive(Default, Deserialize)]
pub struct PodHead<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    metadata: HeadMetadata<'a>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    spec: HeadSpec<'a>,
}

#[derive(Default, Deserialize)]
struct HeadMetadata<'a> {
    #[serde(borrow, default, deserialize_with = "nullable")]
    labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "nullable")]
    annotations: BTreeMap<Cow<'a, str>, IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadSpec<'a> {
    #[serde(borrow)]
    service_account_name: Option<Cow<'a, str>>,
}

impl<'a> PodHead<'a> {
    /// Parses these fields of a pod's JSON.
    ///
    /// # Errors
    /// If one of them has another type than in Kubernetes.
    pub fn read(json: &'a str) -> Result<Self, PodError> {
        parse(json)
    }

    /// The name of the pod's ServiceAccount; `default` if it names none, as in Kubernetes.
    #[must_use]
    pub fn service_account(&self) -> &str {
        let name = self.spec.service_account_name.as_deref();
        name.filter(|name| !name.is_empty()).unwrap_or("default")
    }

    /// Whether a label opts the pod out.
    #[must_use]
    pub fn opted_out(&self) -> bool {
        let labels = &self.metadata.labels;
        pod_opts_out(|name| labels.get(name).map(AsRef::as_ref))
    }

    /// Its annotations and labels that only look as if they had an effect.
    #[must_use]
    pub fn near_misses(
        &self,
        service_account: &ServiceAccountRef,
        prefix: &AnnotationPrefix,
    ) -> Vec<NearMiss> {
        let HeadMetadata { labels, annotations } = &self.metadata;
        let labels = labels.iter().map(|(key, value)| (key.as_ref(), value.as_ref()));
        let annotations = annotations.keys().map(AsRef::as_ref);
        near_misses(Place::Pod(service_account), annotations, labels, prefix)
    }

    /// Whether an annotation of the pod asks for a Secret.
    #[must_use]
    pub fn asks_for_secrets(&self) -> bool {
        self.metadata.annotations.keys().any(|key| key.starts_with(SECRET_ANNOTATION_PREFIX))
    }
}
