//! Looks up single ServiceAccounts and namespaces. The agent never lists them, which on every node
//! would be too much for the API server.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _};
use k8s_openapi::{
    api::core::v1::{Namespace, ServiceAccount},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{Api, Client};
use podrole_identity::{
    AnnotationRules, INJECTION_LABEL, Injection, PERMITTED_ROLES_ANNOTATION, PermittedRoles,
    ServiceAccountRef,
};

use super::one_line::one_line;
use crate::resolve::{Lookup, LookupError, LookupResult, NamespaceFacts, ServiceAccountFacts};

/// Looks up ServiceAccounts.
pub(super) struct LiveServiceAccounts {
    client: Client,
    rules: AnnotationRules,
}

/// Looks up namespaces.
pub(super) struct LiveNamespaces {
    api: Api<Namespace>,
}

impl LiveServiceAccounts {
    pub(super) fn new(client: &Client, rules: AnnotationRules) -> Self {
        Self { client: client.clone(), rules }
    }

    async fn look(&self, service_account: &ServiceAccountRef) -> LookupResult<ServiceAccountFacts> {
        let api: Api<ServiceAccount> =
            Api::namespaced(self.client.clone(), service_account.namespace());
        let found =
            api.get_opt(service_account.name()).await.map_err(|error| lookup_error(&error))?;
        Ok(found.map(|found| {
            let annotations = found.metadata.annotations.unwrap_or_default();
            Arc::new(ServiceAccountFacts {
                uid: found.metadata.uid.unwrap_or_default(),
                annotations: self.rules.read(annotations),
                version: found.metadata.resource_version.unwrap_or_default(),
            })
        }))
    }
}

impl LiveNamespaces {
    pub(super) fn new(client: &Client) -> Self {
        Self { api: Api::all(client.clone()) }
    }

    async fn look(&self, name: &str) -> LookupResult<NamespaceFacts> {
        let found = self.api.get_metadata_opt(name).await.map_err(|error| lookup_error(&error))?;
        Ok(found.map(|found| Arc::new(namespace(name, &found.metadata))))
    }
}

fn namespace(name: &str, metadata: &ObjectMeta) -> NamespaceFacts {
    let annotation =
        metadata.annotations.as_ref().and_then(|all| all.get(PERMITTED_ROLES_ANNOTATION));
    let label = metadata.labels.as_ref().and_then(|all| all.get(INJECTION_LABEL));
    let injection = Injection::of_namespace(label.map(String::as_str));
    let permitted = PermittedRoles::read(annotation.map(String::as_str));
    if let PermittedRoles::Malformed(error) = &permitted {
        tracing::warn!(
            namespace = name,
            %error,
            "could not read the annotation podrole.io/permitted-roles; permitting no role"
        );
    }
    NamespaceFacts { permitted, injection }
}

fn lookup_error(error: &kube::Error) -> LookupError {
    LookupError(one_line(error))
}

impl Lookup<ServiceAccountRef, ServiceAccountFacts> for LiveServiceAccounts {
    fn find<'a>(
        &'a self,
        service_account: &'a ServiceAccountRef,
    ) -> BoxFuture<'a, LookupResult<ServiceAccountFacts>> {
        self.look(service_account).boxed()
    }
}

impl Lookup<String, NamespaceFacts> for LiveNamespaces {
    fn find<'a>(&'a self, name: &'a String) -> BoxFuture<'a, LookupResult<NamespaceFacts>> {
        self.look(name).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(metadata: Value) -> NamespaceFacts {
        namespace("shop", &serde_json::from_value(metadata).unwrap())
    }

    #[test]
    fn a_namespaces_label_asks_for_injection() {
        assert!(read(json!({})).injection.is_none());
        for (value, asks) in [("enabled", true), ("required", true), ("disabled", false)] {
            let metadata = json!({"labels": {"podrole.io/injection": value}});
            assert_eq!(read(metadata).injection.is_some(), asks, "{value}");
        }
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
