//! The kinds of objects that are read.

use kube::api::{ApiResource, GroupVersionKind};
use podrole_identity::{API_GROUP, API_VERSION, Kind};

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Resource {
    Namespace,
    Pod,
    ServiceAccount,
    ConfigMap,
    Node,
    Lease,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    Job,
    CronJob,
    EndpointSlice,
    NetworkPolicy,
    MutatingWebhookConfiguration,
    Association,
    Pattern,
    Guardrail,
    SecretStore,
    ClusterSecretStore,
}

/// External Secrets Operator's group.
const ESO: &str = "external-secrets.io";

impl Resource {
    pub(crate) const ALL: [Self; 20] = [
        Self::Namespace,
        Self::Pod,
        Self::ServiceAccount,
        Self::ConfigMap,
        Self::Node,
        Self::Lease,
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::Job,
        Self::CronJob,
        Self::EndpointSlice,
        Self::NetworkPolicy,
        Self::MutatingWebhookConfiguration,
        Self::Association,
        Self::Pattern,
        Self::Guardrail,
        Self::SecretStore,
        Self::ClusterSecretStore,
    ];

    /// Group, version, kind and plural name.
    fn names(self) -> (&'static str, &'static str, &'static str, &'static str) {
        let ours = |kind: Kind| (API_GROUP, API_VERSION, kind.as_str(), kind.plural());
        match self {
            Self::Namespace => ("", "v1", "Namespace", "namespaces"),
            Self::Pod => ("", "v1", "Pod", "pods"),
            Self::ServiceAccount => ("", "v1", "ServiceAccount", "serviceaccounts"),
            Self::ConfigMap => ("", "v1", "ConfigMap", "configmaps"),
            Self::Node => ("", "v1", "Node", "nodes"),
            Self::Lease => ("coordination.k8s.io", "v1", "Lease", "leases"),
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::StatefulSet => ("apps", "v1", "StatefulSet", "statefulsets"),
            Self::DaemonSet => ("apps", "v1", "DaemonSet", "daemonsets"),
            Self::ReplicaSet => ("apps", "v1", "ReplicaSet", "replicasets"),
            Self::Job => ("batch", "v1", "Job", "jobs"),
            Self::CronJob => ("batch", "v1", "CronJob", "cronjobs"),
            Self::EndpointSlice => ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::MutatingWebhookConfiguration => (
                "admissionregistration.k8s.io",
                "v1",
                "MutatingWebhookConfiguration",
                "mutatingwebhookconfigurations",
            ),
            Self::Association => ours(Kind::Association),
            Self::Pattern => ours(Kind::Pattern),
            Self::Guardrail => ours(Kind::Guardrail),
            Self::SecretStore => (ESO, "v1", "SecretStore", "secretstores"),
            Self::ClusterSecretStore => (ESO, "v1", "ClusterSecretStore", "clustersecretstores"),
        }
    }

    pub(crate) fn of(group: &str, kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| {
            let (its_group, _, its_kind, _) = it.names();
            its_group == group && its_kind == kind
        })
    }

    /// The kind that makes pods by this name, as kubectl takes it.
    pub(crate) fn workload(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "deployment" | "deployments" | "deploy" | "deployment.apps" | "deployments.apps" => {
                Self::Deployment
            }
            "statefulset" | "statefulsets" | "sts" | "statefulset.apps" => Self::StatefulSet,
            "daemonset" | "daemonsets" | "ds" | "daemonset.apps" => Self::DaemonSet,
            "replicaset" | "replicasets" | "rs" | "replicaset.apps" => Self::ReplicaSet,
            "job" | "jobs" | "job.batch" => Self::Job,
            "cronjob" | "cronjobs" | "cj" | "cronjob.batch" => Self::CronJob,
            _ => return None,
        })
    }

    pub(crate) fn kind(self) -> &'static str {
        self.names().2
    }

    pub(crate) fn group(self) -> &'static str {
        self.names().0
    }

    /// The name in rights: `deployments.apps`.
    #[cfg(test)]
    pub(crate) fn right(self) -> String {
        let (group, _, _, plural) = self.names();
        if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
    }

    pub(crate) fn api_resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.names();
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    /// Whether its objects are in namespaces.
    pub(crate) fn is_namespaced(self) -> bool {
        !matches!(
            self,
            Self::Namespace
                | Self::Node
                | Self::MutatingWebhookConfiguration
                | Self::Association
                | Self::Pattern
                | Self::Guardrail
                | Self::ClusterSecretStore
        )
    }

    /// Whether the kind exists only if something beside Kubernetes is installed.
    pub(crate) fn is_optional(self) -> bool {
        self.group() == API_GROUP || self.group() == ESO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_found_by_its_own_name_and_group() {
        for resource in Resource::ALL {
            assert_eq!(Resource::of(resource.group(), resource.kind()), Some(resource));
        }
        assert_eq!(Resource::of("other.io", "Deployment"), None);
        assert_eq!(Resource::workload("deploy"), Some(Resource::Deployment));
        assert_eq!(Resource::NetworkPolicy.right(), "networkpolicies.networking.k8s.io");
    }
}
