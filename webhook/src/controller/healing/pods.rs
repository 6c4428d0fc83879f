//! Pods and their owners, as far as they matter here. Values of environment variables are not kept: they hold secrets.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use podrole_identity::{
    AnnotationPrefix, CredentialProvider, Denial, Grant, NamespaceFacts, PodShape, PodShapeReader,
    ServiceAccountAnnotations, ServiceAccountRef, is_missed, lacked_provider,
};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::Value;

use super::plan::{Owner, WorkloadKey};
use crate::controller::core_object::{Condition, core_object, created, is_ready};

/// The label, or annotation, with the value `disabled` on a pod that is not evicted.
pub(super) const HEAL_LABEL: &str = "podrole.io/heal";
/// The labels of a ReplicaSet's pods that end its name, of a Deployment and of Argo's Rollout.
const TEMPLATE_HASHES: [&str; 2] = ["rollouts-pod-template-hash", "pod-template-hash"];
/// The longest name and UID of an object. The author of a pod can write any text into its owner references.
const MAX_NAME: usize = 253;
const MAX_UID: usize = 64;

/// A pod.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Pod {
    #[serde(deserialize_with = "metadata")]
    pub(super) metadata: ObjectMeta,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

/// What is read of the metadata. `managedFields` would need several times the memory of their text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    service_account_name: Option<String>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    volumes: Option<Vec<Volume>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    env: Option<Vec<Variable>>,
    volume_mounts: Option<Vec<Mount>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Variable {
    name: String,
    #[serde(default, rename = "value", deserialize_with = "is_filled")]
    has_value: bool,
    value_from: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mount {
    mount_path: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    name: String,
    host_path: Option<IgnoredAny>,
    projected: Option<Projected>,
}

#[derive(Clone, Debug, Deserialize)]
struct Projected {
    sources: Option<Vec<ProjectedSource>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectedSource {
    service_account_token: Option<IgnoredAny>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct PodStatus {
    phase: Option<String>,
    conditions: Option<Vec<Condition>>,
}

fn metadata<'de, D: Deserializer<'de>>(metadata: D) -> Result<ObjectMeta, D::Error> {
    let read = Metadata::deserialize(metadata)?;
    Ok(ObjectMeta {
        name: read.name,
        namespace: read.namespace,
        uid: read.uid,
        labels: read.labels,
        annotations: read.annotations,
        owner_references: read.owner_references,
        creation_timestamp: read.creation_timestamp,
        deletion_timestamp: read.deletion_timestamp,
        ..ObjectMeta::default()
    })
}

fn is_filled<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    Ok(Option::<Cow<'de, str>>::deserialize(value)?.is_some_and(|text| !text.is_empty()))
}

impl Pod {
    pub(super) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// When it was created, by the API server's clock.
    #[must_use]
    pub fn created(&self) -> Option<Timestamp> {
        created(&self.metadata)
    }

    /// Its ServiceAccount; `None` if its name cannot be one.
    #[must_use]
    pub fn service_account(&self) -> Option<ServiceAccountRef> {
        let name = self.spec.service_account_name.as_deref().unwrap_or("default");
        ServiceAccountRef::new(self.namespace(), name).ok()
    }

    /// Whether it is neither finished nor about to end.
    #[must_use]
    pub fn is_live(&self) -> bool {
        let phase = self.status.phase.as_deref();
        self.metadata.deletion_timestamp.is_none() && matches!(phase, Some("Pending" | "Running"))
    }

    pub(super) fn is_ready(&self) -> bool {
        is_ready(self.status.conditions.as_deref())
    }

    /// Whether its author forbids to evict it, or it has files of the node's, which its replacement on another node
    /// would lack.
    pub(super) fn is_kept(&self) -> bool {
        let both = [&self.metadata.labels, &self.metadata.annotations];
        let value = |map: &Option<BTreeMap<String, String>>| map.as_ref()?.get(HEAL_LABEL).cloned();
        let disabled = both.into_iter().any(|map| value(map).as_deref() == Some("disabled"));
        disabled || self.spec.volumes.iter().flatten().any(|volume| volume.host_path.is_some())
    }

    /// What its injection depends on.
    #[must_use]
    pub fn shape(&self, prefix: &AnnotationPrefix) -> PodShape {
        let none = BTreeMap::new();
        let labels = self.metadata.labels.as_ref().unwrap_or(&none);
        let annotations = self.metadata.annotations.as_ref().unwrap_or(&none);
        let mut shape = PodShapeReader::new(labels, annotations, prefix);
        for container in self.spec.init_containers.iter().chain(&self.spec.containers).flatten() {
            let set = |it: &&Variable| it.has_value || it.value_from.is_some();
            let variables = container.env.iter().flatten().filter(set).map(|it| it.name.as_str());
            let mounts = container.volume_mounts.iter().flatten();
            let paths = mounts.map(|mount| mount.mount_path.as_str());
            shape.container(&container.name, variables, paths);
        }
        for volume in self.spec.volumes.iter().flatten() {
            let sources = volume.projected.iter().filter_map(|it| it.sources.as_ref()).flatten();
            let is_token = |it: &ProjectedSource| it.service_account_token.is_some();
            shape.volume(&volume.name, sources.into_iter().any(is_token));
        }
        shape.finish()
    }

    /// Its controller, if it is one that creates the pod again at once. A Job's pod is not among them: its work would
    /// begin anew.
    pub(super) fn owner(&self) -> Option<Owner> {
        let mut owners = self.metadata.owner_references.iter().flatten();
        let owner = owners.find(|owner| owner.controller == Some(true))?;
        let kinds = ["ReplicaSet", "StatefulSet", "DaemonSet"];
        let kind = kinds.into_iter().find(|kind| *kind == owner.kind)?;
        let plain = |text: &str, most: usize| {
            let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
            !text.is_empty() && text.len() <= most && text.bytes().all(legal)
        };
        let named = plain(&owner.name, MAX_NAME) && plain(&owner.uid, MAX_UID);
        (named && owner.api_version == "apps/v1").then(|| Owner {
            kind,
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        })
    }

    /// Its workload. The ReplicaSets of one Deployment are one workload, so that a rollout does not begin a new one.
    pub(super) fn workload(&self) -> Option<WorkloadKey> {
        let Owner { kind, name, .. } = self.owner()?;
        let labels = self.metadata.labels.as_ref();
        let mut hashes = TEMPLATE_HASHES.iter().filter_map(|key| labels?.get(*key));
        let base = hashes.find_map(|hash| name.strip_suffix(hash)?.strip_suffix('-'));
        let base = base.filter(|base| !base.is_empty()).map(str::to_owned);
        Some((kind, self.namespace().to_owned(), base.unwrap_or(name)))
    }
}

/// Whether a pod of this shape is missed: one that was created at `created` lacks what it would get if it were created
/// `now`. With `by_policy` there is no webhook: policies inject the provider `container` alone, in namespaces with its label.
#[must_use]
pub fn is_missed_pod(
    (shape, created): (&PodShape, Option<Timestamp>),
    annotations: &ServiceAccountAnnotations,
    granted: &Result<Option<Grant>, Denial>,
    namespace: &NamespaceFacts,
    by_policy: bool,
    now: Timestamp,
) -> bool {
    let lack = lacked_provider(shape, annotations, granted, namespace);
    let container = Some(CredentialProvider::Container);
    let is_injected =
        !by_policy || namespace.credentials == container && lack.map(|it| it.provider) == container;
    is_injected && is_missed(lack, namespace, created, now)
}

/// Whether all replicas of an owner are ready, so that one of them can be spared.
pub(super) fn is_complete(kind: &str, owner: &Value) -> bool {
    let number = |path: &str| owner.pointer(path).and_then(Value::as_i64);
    let status = |field: &str| number(&format!("/status/{field}")).unwrap_or(0);
    let is_current =
        status("observedGeneration") >= number("/metadata/generation").unwrap_or(i64::MAX);
    let (wanted, ready) = match kind {
        "DaemonSet" => (status("desiredNumberScheduled"), status("numberReady")),
        _ => (number("/spec/replicas").unwrap_or(1), status("readyReplicas")),
    };
    is_current && wanted > 0 && ready >= wanted
}

core_object!(Pod, "Pod", "pods", NamespaceResourceScope);

#[cfg(test)]
mod tests;
