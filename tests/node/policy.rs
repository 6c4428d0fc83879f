//! `webhook.mode: policy`: a policy of the API server injects a pod, no webhook is there, and the agent serves the pod.

use anyhow::ensure;
use serde_json::json;

use crate::{
    install, opt_in,
    pods::{container, pod},
    report::Seen,
    sdks,
    stage::{NAMESPACE, Stage, until},
};

const TENANT: &str = "policy";

pub(crate) async fn served(stage: &Stage) -> Seen {
    stage.images(&["python"]).await?;
    let mode = ["--set", "webhook.mode=policy,injection.endpointURLs=null"];
    install::upgraded_to(stage, &mode).await?;
    until("the webhook to be gone", 90, async || {
        let kinds = "pods,mutatingwebhookconfigurations,validatingwebhookconfigurations";
        let left = stage.kubectl(&["-n", NAMESPACE, "get", kinds, "-o", "name"]).await?;
        let of_podrole = |line: &&str| {
            line.contains("podrole-webhook")
                || line.ends_with("configuration.admissionregistration.k8s.io/podrole")
        };
        Ok(!left.lines().any(|line| of_podrole(&line)))
    })
    .await?;
    stage.namespace(TENANT, Some("enabled")).await?;
    stage.kubectl(&["label", "namespace", TENANT, "podrole.io/credentials=container"]).await?;
    let role = "arn:aws:iam::111122223333:role/policy";
    stage.service_account(TENANT, "app", &[]).await?;
    let association = json!({"apiVersion": "podrole.io/v1alpha1", "kind": "PodIdentityAssociation",
        "metadata": {"name": "policy.app"},
        "spec": {"namespace": TENANT, "serviceAccount": "app", "roleARN": role}});
    stage.apply("policy-association", &association.to_string()).await?;
    stage.until_injected(TENANT, "app").await?;
    let whoami = container("app", "python", &["/whoami", "boto3"]);
    let ended = stage.run_pod(TENANT, pod("app", "app", &[whoami]), 120).await?;
    let log = ended.logs.values().next().cloned().unwrap_or_default();
    let arn = sdks::arn(&log).unwrap_or_default();
    ensure!(arn.contains(":assumed-role/policy/"), "{log}");

    // The other checks need the webhook again.
    install::upgraded_to(stage, &[]).await?;
    opt_in::scale(stage, 2).await?;
    stage.until_injected(TENANT, "app").await?;
    Ok(format!("without a webhook a policy injected a pod, and the agent served it: {arn}"))
}
