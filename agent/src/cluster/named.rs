//! Looks up single ServiceAccounts and namespaces, and watches those that are in use. The agent never lists them all,
//! which on every node would be too much for the API server.

use std::sync::Arc;

use futures::{
    Stream, StreamExt as _,
    future::{BoxFuture, FutureExt as _},
    stream::BoxStream,
};
use k8s_openapi::{
    api::core::v1::{Namespace, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    core::PartialObjectMeta,
    runtime::{watcher, watcher::Event},
};
use podrole_identity::{AnnotationRules, InjectionDefault, PermittedRoles, ServiceAccountRef};
use podrole_runtime::{
    error_text::one_line,
    health::Health,
    managed_fields::{Map, key_changed, label_times},
};

use super::access::Access;
use crate::resolve::{Lookup, LookupError, LookupResult, NamespaceFacts, ServiceAccountFacts};

/// Looks up ServiceAccounts.
pub(super) struct LiveServiceAccounts {
    client: Client,
    rules: AnnotationRules,
    access: Access,
}

/// Looks up namespaces.
pub(super) struct LiveNamespaces {
    api: Api<PartialObjectMeta<Namespace>>,
    default: InjectionDefault,
    access: Access,
}

impl LiveServiceAccounts {
    pub(super) fn new(client: &Client, rules: AnnotationRules, health: &Health) -> Self {
        let access = Access::to("the right to get ServiceAccounts", health);
        Self { client: client.clone(), rules, access }
    }

    fn api(&self, service_account: &ServiceAccountRef) -> Api<ServiceAccount> {
        Api::namespaced(self.client.clone(), service_account.namespace())
    }

    async fn look(&self, service_account: &ServiceAccountRef) -> LookupResult<ServiceAccountFacts> {
        let found = self.access.get(&self.api(service_account), service_account.name()).await?;
        Ok(found.map(|found| {
            let role = self.rules.prefix.key("role-arn");
            let role_changed = key_changed(&found.metadata, Map::Annotations, &role);
            let annotations = found.metadata.annotations.unwrap_or_default();
            Arc::new(ServiceAccountFacts {
                uid: found.metadata.uid.unwrap_or_default(),
                annotations: self.rules.read(annotations),
                labels: found.metadata.labels.unwrap_or_default(),
                version: found.metadata.resource_version.unwrap_or_default(),
                role_changed,
            })
        }))
    }
}

impl LiveNamespaces {
    pub(super) fn new(client: &Client, default: InjectionDefault, health: &Health) -> Self {
        let access = Access::to("the right to get namespaces", health);
        Self { api: Api::all(client.clone()), default, access }
    }

    async fn look(&self, name: &str) -> LookupResult<NamespaceFacts> {
        let found = self.access.get(&self.api, name).await?;
        Ok(found.map(|found| Arc::new(namespace(name, found.metadata, self.default))))
    }
}

fn namespace(name: &str, metadata: ObjectMeta, default: InjectionDefault) -> NamespaceFacts {
    let labelled = label_times(&metadata);
    let labels = metadata.labels.unwrap_or_default();
    let annotations = metadata.annotations.unwrap_or_default();
    let facts = NamespaceFacts::read(labels, &annotations, default);
    let facts = NamespaceFacts { labelled, ..facts };
    if let PermittedRoles::Malformed(error) = &facts.permitted {
        tracing::warn!(
            namespace = name,
            %error,
            "could not read the annotation podrole.io/permitted-roles; permitting no role"
        );
    }
    if let Some(error) = &facts.bad_not_before {
        tracing::warn!(namespace = name, %error, "could not read an annotation; ignoring it");
    }
    facts
}

/// How long the API server keeps a watch of one name open, in seconds; the library's 290 s would renew each twice as
/// often. HTTP/2 pings notice a dead connection sooner, and over HTTP/1.1 a bookmark comes every minute.
const WATCH_TIMEOUT: u32 = 600;

/// What a watch of one name is begun with. The name alone is selected, from the API server's memory, in which it walks the
/// namespace's objects once.
pub(super) fn only(name: &str) -> watcher::Config {
    let config = watcher::Config::default().any_semantic().timeout(WATCH_TIMEOUT);
    config.fields(&format!("metadata.name={name}"))
}

/// An item when the watch of one name begins and for each change.
pub(super) fn changes<T: Send + 'static>(
    events: impl Stream<Item = watcher::Result<Event<T>>> + Send + 'static,
) -> BoxStream<'static, Result<(), LookupError>> {
    let changes = events.filter_map(|event| async {
        match event {
            Ok(Event::Init | Event::InitApply(_)) => None,
            Ok(_) => Some(Ok(())),
            Err(error) => Some(Err(LookupError::Failed(one_line(&error)))),
        }
    });
    changes.boxed()
}

impl Lookup<ServiceAccountRef, ServiceAccountFacts> for LiveServiceAccounts {
    fn find<'a>(
        &'a self,
        service_account: &'a ServiceAccountRef,
    ) -> BoxFuture<'a, LookupResult<ServiceAccountFacts>> {
        self.look(service_account).boxed()
    }

    fn watch(
        &self,
        name: &ServiceAccountRef,
    ) -> Option<BoxStream<'static, Result<(), LookupError>>> {
        let api = Api::<PartialObjectMeta<ServiceAccount>>::namespaced(
            self.client.clone(),
            name.namespace(),
        );
        Some(changes(watcher(api, only(name.name()))))
    }
}

impl Lookup<String, NamespaceFacts> for LiveNamespaces {
    fn find<'a>(&'a self, name: &'a String) -> BoxFuture<'a, LookupResult<NamespaceFacts>> {
        self.look(name).boxed()
    }

    fn watch(&self, name: &String) -> Option<BoxStream<'static, Result<(), LookupError>>> {
        Some(changes(watcher(self.api.clone(), only(name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(metadata: Value) -> NamespaceFacts {
        namespace("shop", serde_json::from_value(metadata).unwrap(), InjectionDefault::Labelled)
    }

    #[test]
    fn a_namespaces_label_asks_for_injection() {
        assert!(read(json!({})).injection.is_none() && read(json!({})).is_unlabelled);
        assert!(!read(json!({"labels": {"podrole.io/injection": ""}})).is_unlabelled);
        for (value, asks) in [("enabled", true), ("required", true), ("disabled", false)] {
            let metadata = json!({"labels": {"podrole.io/injection": value}});
            assert_eq!(read(metadata).injection.is_some(), asks, "{value}");
        }
    }

    #[test]
    fn a_namespaces_labels_have_times_and_without_one_the_namespace_itself() {
        let [created, injection, credentials] =
            ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"];
        let owns = |time: &str, label: &str| json!({"time": time, "fieldsV1": {"f:metadata": {"f:labels": {label: {}}}}});
        let entries = [
            owns(injection, "f:podrole.io/injection"),
            owns(credentials, "f:podrole.io/credentials"),
        ];
        let times = |labels: Value, entries: &[Value]| {
            let facts = read(json!({"creationTimestamp": created, "labels": labels,
                "managedFields": entries}));
            let podrole_identity::LabelTimes { injection, credentials } = facts.labelled;
            [injection, credentials].map(|time| time.map(|time| time.to_string()))
        };
        let some = |time: &str| Some(time.to_owned());
        let labels = json!({"podrole.io/injection": "enabled"});
        assert_eq!(times(labels.clone(), &entries), [some(injection), some(credentials)]);
        assert_eq!(times(labels, &[]), [None, None]);
        assert_eq!(times(json!({}), &[]), [some(created), None]);
    }

    #[test]
    fn a_namespaces_guard_rail_is_read() {
        let role = "arn:aws:iam::111122223333:role/app".parse().unwrap();
        assert!(read(json!({})).permitted.permits(&role));
        for (value, permits) in [
            ("arn:aws:iam::111122223333:role/*", true),
            ("arn:aws:iam::111122223333:role/other", false),
            ("", false),
            ("nonsense", false),
        ] {
            let read = read(json!({"annotations": {"podrole.io/permitted-roles": value}}));
            assert_eq!(read.permitted.permits(&role), permits, "{value}");
        }
    }
}
