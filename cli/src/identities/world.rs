//! What decides roles, as it was read. Pure.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::DynamicObject;
use podrole_identity::{
    Annotations, Association, Facts, Guardrails, Labels, NamespaceFacts, Patterns,
    ServiceAccountRef, Sources, Unreadable, grant, injected_provider,
};
use podrole_runtime::objects;
use podrole_webhook::{LivePod, is_missed_pod};

use super::identity::{Identity, PodCounts};
use crate::settings::ClusterSettings;

/// All that decides besides ServiceAccounts.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) namespaces: BTreeMap<String, NamespaceFacts>,
    /// By the names of the objects.
    pub(crate) associations: HashMap<String, Result<Association, Unreadable>>,
    pub(crate) patterns: Patterns,
    pub(crate) guardrails: Guardrails,
}

impl World {
    pub(super) fn add_namespace(&mut self, namespace: Namespace, settings: &ClusterSettings) {
        let Some(name) = namespace.metadata.name else { return };
        let labels: Labels = namespace.metadata.labels.unwrap_or_default();
        let annotations: Annotations = namespace.metadata.annotations.unwrap_or_default();
        let facts = NamespaceFacts::read(labels, &annotations, settings.injection_default);
        self.namespaces.insert(name, facts);
    }

    pub(super) fn add_association(&mut self, mut object: DynamicObject) {
        let Some(name) = object.metadata.name.clone() else { return };
        let read = Association::read_object(&name, &objects::take_spec(&mut object));
        self.associations.insert(name, read);
    }

    /// The ServiceAccount and its identity, or `None` if its pods get nothing.
    pub(super) fn decide(
        &self,
        account: ServiceAccount,
        settings: &ClusterSettings,
    ) -> Option<(ServiceAccountRef, Identity)> {
        let metadata = account.metadata;
        let of = ServiceAccountRef::new(&metadata.namespace?, &metadata.name?).ok()?;
        let labels: Labels = metadata.labels.unwrap_or_default();
        let annotations = metadata.annotations.unwrap_or_default();
        let annotations = settings.webhook.annotations.read(annotations);
        let none = NamespaceFacts::default();
        let namespace = self.namespaces.get(of.namespace()).unwrap_or(&none);
        let association = self.associations.get(&Association::object_name(&of));
        let facts = Facts {
            service_account: &of,
            labels: &labels,
            sources: Sources {
                association: association.map(Result::as_ref),
                listed: settings.list.find(&of),
                annotations: &annotations,
                role_map: settings.role_map.find(&of),
            },
            patterns: &self.patterns,
            guardrails: &self.guardrails,
            namespace,
            provider: None,
        };
        let granted = grant(&facts, &settings.webhook.rules);
        injected_provider(&granted, namespace)?;
        let is_guarded = namespace.is_guarded(of.namespace(), &self.guardrails);
        let pods = PodCounts::default();
        Some((of, Identity { annotations, granted, is_guarded, pods }))
    }

    /// Counts a pod of an identity.
    pub(super) fn count(
        &self,
        pod: &LivePod,
        of: &ServiceAccountRef,
        identity: &mut Identity,
        settings: &ClusterSettings,
        now: Timestamp,
    ) {
        let Some(namespace) = self.namespaces.get(of.namespace()) else { return };
        let shape = pod.shape(&settings.webhook.annotations.prefix);
        if shape.has_token() {
            identity.pods.injected += 1;
            return;
        }
        let Identity { annotations, granted, pods, .. } = identity;
        let seen = (&shape, pod.created());
        let missed = is_missed_pod(seen, annotations, granted, namespace, settings.by_policy, now);
        pods.missed += usize::from(missed);
    }
}
