//! Registered webhook configurations, as they conflict with ours.

use std::time::Duration;

use k8s_openapi::{
    api::admissionregistration::v1::{
        MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use kube::{Api, Client, api::ListParams};
use podrole_runtime::error_text::root;

use crate::{
    conflicts::{Entry, Registered},
    registered_timeout,
    selector::{Condition, Requirement, Selector},
};

/// Why the configurations could not be listed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// RBAC does not allow it.
    #[error(
        "not permitted to list MutatingWebhookConfigurations, so webhooks that conflict with \
         podrole are not detected; allow podrole-webhook to list mutatingwebhookconfigurations"
    )]
    Forbidden,
    /// Any other error, or no answer.
    #[error("could not list MutatingWebhookConfigurations: {0}; trying again")]
    Other(String),
}

/// Every MutatingWebhookConfiguration of the cluster.
pub(crate) async fn registered(client: &Client) -> Result<Vec<Registered>, ListError> {
    let api = Api::<MutatingWebhookConfiguration>::all(client.clone());
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(list.items.into_iter().map(configuration).collect()),
        Err(kube::Error::Api(status)) if status.code == 403 => Err(ListError::Forbidden),
        Err(error) => Err(ListError::Other(root(&error))),
    }
}

/// What matters of a configuration here.
#[must_use]
pub fn configuration(it: MutatingWebhookConfiguration) -> Registered {
    let created = it.metadata.creation_timestamp.map_or(0, |time| time.0.as_second());
    let entries = it.webhooks.unwrap_or_default().into_iter().map(entry);
    Registered { name: it.metadata.name.unwrap_or_default(), created, entries: entries.collect() }
}

fn entry(webhook: MutatingWebhook) -> Entry {
    let rules = webhook.rules.unwrap_or_default();
    Entry {
        name: webhook.name,
        host: host(&webhook.client_config),
        ca_bundle: ca_bundle(&webhook.client_config),
        path: path(webhook.client_config),
        timeout: timeout(webhook.timeout_seconds),
        matches_new_pods: rules.iter().any(matches_new_pods),
        namespaces: selector(webhook.namespace_selector.unwrap_or_default()),
    }
}

/// The API server writes its default into each configuration, so it is always there.
fn timeout(seconds: Option<i32>) -> Duration {
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map_or(registered_timeout::DEFAULT, Duration::from_secs)
}

fn matches_new_pods(rule: &RuleWithOperations) -> bool {
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

fn ca_bundle(config: &WebhookClientConfig) -> String {
    let bundle = config.ca_bundle.as_ref().map(|bundle| bundle.0.as_slice());
    String::from_utf8_lossy(bundle.unwrap_or_default()).into_owned()
}

/// An operator that a later Kubernetes adds is ignored. The selector then matches more than it
/// should, and a conflict is reported too often rather than missed.
#[must_use]
pub fn selector(it: LabelSelector) -> Selector {
    let exact = it.match_labels.unwrap_or_default().into_iter();
    let exact =
        exact.map(|(key, value)| Requirement { key, condition: Condition::In(vec![value]) });
    let others = it.match_expressions.unwrap_or_default().into_iter().filter_map(|it| {
        let values = it.values.unwrap_or_default();
        let condition = match it.operator.as_str() {
            "In" => Condition::In(values),
            "NotIn" => Condition::NotIn(values),
            "Exists" => Condition::Exists,
            "DoesNotExist" => Condition::Absent,
            _ => return None,
        };
        Some(Requirement { key: it.key, condition })
    });
    Selector(exact.chain(others).collect())
}
