//! A MutatingWebhookConfiguration as a cluster's administrator registers it, for one namespace.

use anyhow::Context as _;
use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{MutatingWebhookConfiguration, WebhookClientConfig},
};
use kube::{Api, api::PostParams};

use crate::namespace::TestNamespace;

/// The label that the API server puts on each namespace: its name.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// `yaml` with the webhook's address and CA filled in, called for the namespace `name` alone.
///
/// A `service` in it becomes a URL on `base` (`https://127.0.0.1:8443`) with the service's path, or
/// without one the path that the webhook would write, but for its secret part; all else (rules, selectors, match conditions) stays as it is written.
///
/// # Errors
/// If the text is not a MutatingWebhookConfiguration.
pub fn fill(
    yaml: &str,
    base: &str,
    ca_pem: &[u8],
    name: &str,
) -> anyhow::Result<MutatingWebhookConfiguration> {
    let mut configuration: MutatingWebhookConfiguration =
        serde_saphyr::from_str(yaml).context("it is not a MutatingWebhookConfiguration")?;
    configuration.metadata.name = Some(format!("podrole-{name}"));
    for webhook in configuration.webhooks.iter_mut().flatten() {
        let path =
            path(&webhook.client_config).unwrap_or_else(|| of_name(&webhook.name).to_owned());
        webhook.client_config = WebhookClientConfig {
            ca_bundle: Some(ByteString(ca_pem.to_vec())),
            service: None,
            url: Some(format!("{base}{path}")),
        };
        let selector = webhook.namespace_selector.get_or_insert_default();
        let labels = selector.match_labels.get_or_insert_default();
        labels.insert(NAMESPACE_NAME.to_owned(), name.to_owned());
    }
    Ok(configuration)
}

/// The path of the service or of the URL.
fn path(written: &WebhookClientConfig) -> Option<String> {
    let of_service = written.service.as_ref().and_then(|it| it.path.clone());
    let of_url = || {
        let url: http::Uri = written.url.as_deref()?.parse().ok()?;
        Some(url.path().to_owned())
    };
    of_service.or_else(of_url)
}

fn of_name(webhook: &str) -> &'static str {
    match webhook {
        "required.podrole.io" | "debug.podrole.io" => "/mutate/required",
        "warnings.podrole.io" => "/validate",
        _ => "/mutate",
    }
}

impl TestNamespace<'_> {
    /// Registers the configuration of `yaml` for this namespace, as [`fill`] says. The API server
    /// needs a moment to hear of it: ask [`TestNamespace::dry_run`] until the pod is changed.
    ///
    /// # Errors
    /// If the text is not such a configuration, or if the API server rejects it.
    pub async fn register_webhook(
        &self,
        yaml: &str,
        base: &str,
        ca_pem: &[u8],
    ) -> anyhow::Result<MutatingWebhookConfiguration> {
        let configuration = fill(yaml, base, ca_pem, self.name())?;
        let api = Api::<MutatingWebhookConfiguration>::all(self.client());
        Ok(api.create(&PostParams::default(), &configuration).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: podrole-webhook}
webhooks:
- name: mutate.podrole.io
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {service: {name: podrole-webhook, namespace: podrole, path: /mutate}}
  namespaceSelector: {matchLabels: {podrole.io/injection: enabled}}
- name: required.podrole.io
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {url: \"https://webhook.example.org/mutate/required\"}
- name: required.podrole.io
  admissionReviewVersions: [v1]
  sideEffects: None
  clientConfig: {service: {name: podrole-webhook, namespace: podrole}}
";

    #[test]
    fn the_address_and_the_ca_are_filled_in_and_the_rest_stays() {
        let filled = fill(YAML, "https://127.0.0.1:1", b"PEM", "ns-1").unwrap();
        assert_eq!(filled.metadata.name.as_deref(), Some("podrole-ns-1"));
        let webhooks = filled.webhooks.unwrap();
        let of = |n: usize| webhooks[n].client_config.clone();
        assert_eq!(of(0).url.as_deref(), Some("https://127.0.0.1:1/mutate"));
        assert_eq!(of(0).ca_bundle, Some(ByteString(b"PEM".to_vec())));
        assert_eq!(of(0).service, None);
        assert_eq!(of(1).url.as_deref(), Some("https://127.0.0.1:1/mutate/required"));
        assert_eq!(of(2).url.as_deref(), Some("https://127.0.0.1:1/mutate/required"));
        let selector = webhooks[0].namespace_selector.clone().unwrap();
        let labels = selector.match_labels.unwrap();
        assert_eq!(labels["podrole.io/injection"], "enabled");
        assert_eq!(labels[NAMESPACE_NAME], "ns-1");
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        assert!(fill("webhooks: 3", "https://127.0.0.1:1", b"", "ns").is_err());
    }
}
