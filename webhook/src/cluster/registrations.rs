//! What is registered at the API server: ours taken away, others' looked at.

use k8s_openapi::{
    api::admissionregistration::v1::{
        MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations,
        ValidatingWebhookConfiguration, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, ListParams},
};
use serde::de::DeserializeOwned;

use crate::{
    conflicts::{Entry, Registered},
    selector::{Holds, Requirement, Selector},
};

/// Why the configurations could not be listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// We may not.
    #[error(
        "other webhooks that inject are not looked for; allow `list` of \
         mutatingwebhookconfigurations to podrole-webhook"
    )]
    Forbidden,
    /// The API server said something else, or nothing.
    #[error("MutatingWebhookConfigurations could not be listed: {0}")]
    Other(String),
}

/// Why a configuration of ours is still there.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {name} could not be deleted: {error}")]
pub struct UnregisterError {
    kind: String,
    name: String,
    error: String,
}

/// Deletes both of our configurations, so that no API server calls us any more. Gives a line for
/// each; that it was gone before is fine.
///
/// # Errors
/// When one may be there still.
pub async fn unregister(client: &Client, name: &str) -> Result<[String; 2], UnregisterError> {
    Ok([
        delete::<MutatingWebhookConfiguration>(client, name).await?,
        delete::<ValidatingWebhookConfiguration>(client, name).await?,
    ])
}

async fn delete<K>(client: &Client, name: &str) -> Result<String, UnregisterError>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let kind = K::kind(&());
    match Api::<K>::all(client.clone()).delete(name, &DeleteParams::default()).await {
        Ok(_) => Ok(format!("{kind} {name}: deleted")),
        Err(kube::Error::Api(status)) if status.code == 404 => {
            Ok(format!("{kind} {name}: was not there"))
        }
        Err(error) => Err(UnregisterError {
            kind: kind.into_owned(),
            name: name.to_owned(),
            error: super::root(&error),
        }),
    }
}

/// All configurations that may change objects.
pub(crate) async fn registered(client: &Client) -> Result<Vec<Registered>, ListError> {
    let api = Api::<MutatingWebhookConfiguration>::all(client.clone());
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(list.items.into_iter().map(configuration).collect()),
        Err(kube::Error::Api(status)) if status.code == 403 => Err(ListError::Forbidden),
        Err(error) => Err(ListError::Other(super::root(&error))),
    }
}

fn configuration(it: MutatingWebhookConfiguration) -> Registered {
    let made = it.metadata.creation_timestamp.map_or(0, |made| made.0.as_second());
    let entries = it.webhooks.unwrap_or_default().into_iter().map(entry);
    Registered { name: it.metadata.name.unwrap_or_default(), made, entries: entries.collect() }
}

fn entry(webhook: MutatingWebhook) -> Entry {
    let rules = webhook.rules.unwrap_or_default();
    Entry {
        name: webhook.name,
        host: host(&webhook.client_config),
        bundle: bundle(&webhook.client_config),
        path: path(webhook.client_config),
        takes_new_pods: rules.iter().any(takes_new_pods),
        namespaces: selector(webhook.namespace_selector.unwrap_or_default()),
    }
}

fn takes_new_pods(rule: &RuleWithOperations) -> bool {
    let any = |list: &Option<Vec<String>>, words: &[&str]| {
        list.iter().flatten().any(|word| words.contains(&word.as_str()))
    };
    any(&rule.api_groups, &["", "*"])
        && any(&rule.resources, &["pods", "*", "*/*"])
        && any(&rule.operations, &["CREATE", "*"])
}

fn path(config: WebhookClientConfig) -> String {
    let of_url = |url: String| Some(url.parse::<axum::http::Uri>().ok()?.path().to_owned());
    let of_service = config.service.and_then(|service| service.path);
    of_service.or_else(|| of_url(config.url?)).unwrap_or_default()
}

fn host(config: &WebhookClientConfig) -> String {
    let of_service = config.service.as_ref();
    let of_service = of_service.map(|it| format!("{}.{}.svc", it.name, it.namespace));
    let of_url = || Some(config.url.as_ref()?.parse::<axum::http::Uri>().ok()?.host()?.to_owned());
    of_service.or_else(of_url).unwrap_or_default()
}

fn bundle(config: &WebhookClientConfig) -> String {
    let bundle = config.ca_bundle.as_ref().map(|bundle| bundle.0.as_slice());
    String::from_utf8_lossy(bundle.unwrap_or_default()).into_owned()
}

/// An operator of tomorrow says nothing, so that the selector means more than it should.
fn selector(it: LabelSelector) -> Selector {
    let exact = it.match_labels.unwrap_or_default().into_iter();
    let exact = exact.map(|(key, value)| Requirement { key, holds: Holds::In(vec![value]) });
    let others = it.match_expressions.unwrap_or_default().into_iter().filter_map(|it| {
        let values = it.values.unwrap_or_default();
        let holds = match it.operator.as_str() {
            "In" => Holds::In(values),
            "NotIn" => Holds::NotIn(values),
            "Exists" => Holds::Exists,
            "DoesNotExist" => Holds::Absent,
            _ => return None,
        };
        Some(Requirement { key: it.key, holds })
    });
    Selector(exact.chain(others).collect())
}
