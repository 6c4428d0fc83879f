//! An upgrade from `webhook` to `policy`: the controller deletes what made API servers call the webhook, with the
//! rights that the chart gives it. Otherwise pods of `required` namespaces would be refused for ever.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    core::v1::Service,
    policy::v1::PodDisruptionBudget,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use podrole_tests::wait;
use serde_json::json;

use crate::{
    controlled::started,
    installed::{Alone, alone, has_policies, release, uninstall},
};

const PATIENCE: Duration = Duration::from_secs(30);

struct Leftovers {
    mutating: Api<MutatingWebhookConfiguration>,
    validating: Api<ValidatingWebhookConfiguration>,
    services: Api<Service>,
    budgets: Api<PodDisruptionBudget>,
}

impl Leftovers {
    async fn make(client: &Client) -> anyhow::Result<Self> {
        let left = Self {
            mutating: Api::all(client.clone()),
            validating: Api::all(client.clone()),
            services: Api::namespaced(client.clone(), "podrole"),
            budgets: Api::namespaced(client.clone(), "podrole"),
        };
        let params = PatchParams::apply("test");
        let configuration = |kind: &str| {
            Patch::Apply(json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                "metadata": {"name": "podrole"}, "webhooks": []}))
        };
        let mutating = configuration("MutatingWebhookConfiguration");
        left.mutating.patch("podrole", &params, &mutating).await?;
        let validating = configuration("ValidatingWebhookConfiguration");
        left.validating.patch("podrole", &params, &validating).await?;
        let service = Patch::Apply(json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "podrole-webhook"}, "spec": {"ports": [{"port": 443}]}}));
        left.services.patch("podrole-webhook", &params, &service).await?;
        let budget = Patch::Apply(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": "podrole-webhook"}, "spec": {"maxUnavailable": 1,
            "selector": {"matchLabels": {"a": "b"}}}}));
        left.budgets.patch("podrole-webhook", &params, &budget).await?;
        Ok(left)
    }

    async fn are_gone(&self) -> anyhow::Result<bool> {
        Ok(self.mutating.get_opt("podrole").await?.is_none()
            && self.validating.get_opt("podrole").await?.is_none()
            && self.services.get_opt("podrole-webhook").await?.is_none()
            && self.budgets.get_opt("podrole-webhook").await?.is_none())
    }
}

#[tokio::test]
async fn the_controller_deletes_what_the_webhook_left() -> anyhow::Result<()> {
    let Alone { cluster, client, kubeconfig, .. } = &alone().await?;
    if !has_policies(client).await? {
        return Ok(());
    }
    release("install", &["agent.createNamespace=false", "webhook.mode=policy"], kubeconfig)?;
    let result = async {
        let left = Leftovers::make(client).await?;
        let controller = started(cluster, client, "podrole-controller").await?;
        let gone = async || left.are_gone().await;
        wait::until("no object of the webhook", PATIENCE, gone)
            .await
            .with_context(|| controller.log())?;
        let log = controller.log();
        ensure!(!log.contains("refused") && !log.contains("could not finish a round"), "{log}");
        ensure!(!log.contains("applied an object"), "it registers a webhook: {log}");
        anyhow::Ok(())
    };
    let result = result.await;
    uninstall(kubeconfig)?;
    result
}
