//! A view of the few fields of a pod that matter here.
//!
//! Unknown fields are ignored, as in EKS's webhook, and are kept in the pod: nothing is ever
//! serialized from the view. It has no `Debug`, because environment variables hold secrets.

mod head;
mod parse;
mod parts;

use std::collections::BTreeMap;

use podrole_identity::{Annotations, pod_opts_out};
use serde::Deserialize;

pub use head::PodHead;
pub use parse::PodError;
use parse::{nullable, parse};

/// A pod, as far as it matters here.
#[derive(Default, Deserialize)]
pub struct PodView {
    pub(crate) metadata: Option<PodMetadata>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodMetadata {
    name: Option<String>,
    generate_name: Option<String>,
    pub(crate) labels: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) annotations: Annotations,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodSpec {
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) ephemeral_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) volumes: Vec<Volume>,
    #[serde(default, deserialize_with = "nullable")]
    node_selector: BTreeMap<String, String>,
    host_network: Option<bool>,
    dns_policy: Option<String>,
    os: Option<Os>,
}

#[derive(Deserialize)]
struct Os {
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Container {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) env: Vec<Variable>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) env_from: Vec<EnvFrom>,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) volume_mounts: Vec<Mount>,
    /// Of an ephemeral container: the container that it debugs.
    pub(crate) target_container_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnvFrom {
    #[serde(default, deserialize_with = "nullable")]
    prefix: String,
    secret_ref: Option<SecretReference>,
}

#[derive(Deserialize)]
struct SecretReference {
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Variable {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(crate) value: String,
    value_from: Option<ValueSource>,
}

/// Where the kubelet reads a variable's value.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ValueSource {
    secret_key_ref: Option<KeyReference>,
    config_map_key_ref: Option<KeyReference>,
}

#[derive(Deserialize)]
struct KeyReference {
    optional: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mount {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) mount_path: String,
    #[serde(default, deserialize_with = "nullable")]
    sub_path: String,
    #[serde(default, deserialize_with = "nullable")]
    sub_path_expr: String,
}

#[derive(Default, Deserialize)]
pub(crate) struct Volume {
    #[serde(default)]
    pub(crate) name: String,
    projected: Option<Projected>,
    secret: Option<SecretSource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SecretSource {
    #[serde(default, deserialize_with = "nullable")]
    secret_name: String,
}

#[derive(Deserialize)]
struct Projected {
    #[serde(default, deserialize_with = "nullable")]
    sources: Vec<ProjectedSource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectedSource {
    service_account_token: Option<TokenSource>,
}

#[derive(Deserialize)]
struct TokenSource {
    #[serde(default, deserialize_with = "nullable")]
    audience: String,
    #[serde(default, deserialize_with = "nullable")]
    path: String,
}

impl PodView {
    /// Parses a pod's JSON.
    ///
    /// # Errors
    /// If a field that matters here has another type than in Kubernetes.
    pub fn read(json: &str) -> Result<Self, PodError> {
        parse(json)
    }

    /// The pod's name; `None` if Kubernetes will generate it.
    pub(crate) fn name(&self) -> Option<&str> {
        let name = self.metadata.as_ref()?.name.as_deref();
        name.filter(|name| !name.is_empty())
    }

    /// The greatest length of the pod's name: the API server cuts `generateName` to 58 characters and
    /// appends 5.
    pub(crate) fn longest_name(&self) -> usize {
        let generate = self.metadata.as_ref().and_then(|it| it.generate_name.as_deref());
        match self.name() {
            Some(name) => name.len(),
            None => generate.unwrap_or_default().len().min(58) + 5,
        }
    }

    /// Whether a label opts the pod out.
    pub(crate) fn opted_out(&self) -> bool {
        self.labels()
            .is_some_and(|labels| pod_opts_out(|name| labels.get(name).map(String::as_str)))
    }

    /// Whether the pod is for Windows nodes.
    #[must_use]
    pub fn is_windows(&self) -> bool {
        let selects = |key| self.spec.node_selector.get(key).map(String::as_str) == Some("windows");
        selects("kubernetes.io/os")
            || selects("beta.kubernetes.io/os")
            || self.spec.os.as_ref().is_some_and(|os| os.name == "windows")
    }

    /// The field to set so that the pod can resolve the names of Services. `None` if it can. With the
    /// policy `None` its author names the servers.
    pub(crate) fn dns_policy_for_services(&self) -> Option<&'static str> {
        let on_host = self.spec.host_network == Some(true);
        match self.spec.dns_policy.as_deref() {
            Some("ClusterFirstWithHostNet" | "None") => None,
            Some("Default") if !on_host => Some("dnsPolicy: ClusterFirst"),
            // On the node's network, `ClusterFirst` means `Default`.
            _ => on_host.then_some("dnsPolicy: ClusterFirstWithHostNet"),
        }
    }

    pub(crate) fn labels(&self) -> Option<&BTreeMap<String, String>> {
        self.metadata.as_ref()?.labels.as_ref()
    }

    pub(crate) fn annotations(&self) -> Option<&Annotations> {
        self.metadata.as_ref().map(|metadata| &metadata.annotations)
    }

    pub(crate) fn volume(&self, name: &str) -> Option<&Volume> {
        self.spec.volumes.iter().find(|volume| volume.name == name)
    }
}

#[cfg(test)]
mod tests;
