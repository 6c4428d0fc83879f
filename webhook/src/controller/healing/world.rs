//! What decides roles, read anew for each round. Only ServiceAccounts of pods that may be missed are looked up.

use std::{collections::HashMap, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};
use podrole_identity::{
    AnnotationRules, Association, AssociationList, Denial, Facts, Grant, GrantRules, Guardrails,
    Kind, Labels, NamespaceFacts, Patterns, ServiceAccountAnnotations, ServiceAccountRef, Sources,
    grant, is_old_enough,
};
use podrole_runtime::objects;

use super::pods::{Pod, is_missed_pod};
use crate::controller::request::bounded;

/// What the controller's flags say.
pub(super) struct Settings {
    pub(super) rules: GrantRules,
    pub(super) annotations: AnnotationRules,
    pub(super) association_objects: bool,
    /// There is no webhook: policies inject the provider `container` alone, in namespaces with its label.
    pub(super) by_policy: bool,
}

/// A ServiceAccount and the decision about it.
struct Identity {
    annotations: ServiceAccountAnnotations,
    granted: Result<Option<Grant>, Denial>,
}

/// All that decides roles, as it was during one round.
pub(super) struct World<'a> {
    client: &'a Client,
    settings: &'a Settings,
    list: Arc<AssociationList>,
    patterns: Patterns,
    guardrails: Guardrails,
    identities: HashMap<ServiceAccountRef, Option<Arc<Identity>>>,
}

impl<'a> World<'a> {
    /// Reads patterns and guard-rails.
    ///
    /// # Errors
    /// Says in one line what could not be read.
    pub(super) async fn read(
        client: &'a Client,
        settings: &'a Settings,
        list: Arc<AssociationList>,
    ) -> Result<Self, String> {
        let (mut patterns, mut guardrails) = (Patterns::default(), Guardrails::default());
        if settings.association_objects {
            let list = |kind| bounded(objects::list(client.clone(), kind));
            patterns = Patterns::read(objects::raw(&list(Kind::Pattern).await?));
            guardrails = Guardrails::read(objects::raw(&list(Kind::Guardrail).await?));
        }
        let identities = HashMap::new();
        Ok(Self { client, settings, list, patterns, guardrails, identities })
    }

    /// Whether a pod is missed.
    ///
    /// # Errors
    /// If what decides it could not be read. That says nothing of the pod.
    pub(super) async fn is_missed(
        &mut self,
        pod: &Pod,
        namespace: &NamespaceFacts,
        now: Timestamp,
    ) -> Result<bool, String> {
        let shape = pod.shape(&self.settings.annotations.prefix);
        let Some(service_account) = pod.service_account() else { return Ok(false) };
        // Nothing is looked up for a pod that is too young, whatever it lacks.
        if !is_old_enough(pod.created(), now) || !shape.may_lack() || shape.opts_out_of(namespace) {
            return Ok(false);
        }
        let Some(identity) = self.identity(&service_account, namespace).await? else {
            return Ok(false);
        };
        let Identity { annotations, granted } = &*identity;
        let (pod, by_policy) = ((&shape, pod.created()), self.settings.by_policy);
        Ok(is_missed_pod(pod, annotations, granted, namespace, by_policy, now))
    }

    async fn identity(
        &mut self,
        service_account: &ServiceAccountRef,
        namespace: &NamespaceFacts,
    ) -> Result<Option<Arc<Identity>>, String> {
        if let Some(known) = self.identities.get(service_account) {
            return Ok(known.clone());
        }
        let identity = self.look_up(service_account, namespace).await?.map(Arc::new);
        self.identities.insert(service_account.clone(), identity.clone());
        Ok(identity)
    }

    async fn look_up(
        &self,
        service_account: &ServiceAccountRef,
        namespace: &NamespaceFacts,
    ) -> Result<Option<Identity>, String> {
        let api =
            Api::<ServiceAccount>::namespaced(self.client.clone(), service_account.namespace());
        let Some(found) = bounded(api.get_metadata_opt(service_account.name())).await? else {
            return Ok(None);
        };
        let annotations = found.metadata.annotations.unwrap_or_default();
        let annotations = self.settings.annotations.read(annotations);
        let labels: Labels = found.metadata.labels.unwrap_or_default();
        let mut association = None;
        if self.settings.association_objects {
            let name = Association::object_name(service_account);
            let api = objects::api(self.client.clone(), Kind::Association);
            let found = bounded(objects::get(&api, &name)).await?;
            association = found.map(|mut object| {
                Association::read_object(&name, &objects::take_spec(&mut object))
            });
        }
        let facts = Facts {
            service_account,
            labels: &labels,
            sources: Sources {
                association: association.as_ref().map(Result::as_ref),
                listed: self.list.find(service_account),
                annotations: &annotations,
                // It comes last, so a pod that only it names is not healed, and no other pod is judged wrongly.
                role_map: None,
            },
            patterns: &self.patterns,
            guardrails: &self.guardrails,
            namespace,
            provider: None,
        };
        let granted = grant(&facts, &self.settings.rules);
        Ok(Some(Identity { annotations, granted }))
    }
}
