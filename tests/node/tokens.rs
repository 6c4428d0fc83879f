//! Whose tokens the agent takes: those of living pods of its own node.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Node, Pod, ServiceAccount},
};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    http,
    pods::{container, pod},
    report::Seen,
    stage::{self, Stage},
};

/// Where every SDK asks.
const ADDRESS: &str = "169.254.170.23:80";
const ROLE: &[(&str, &str)] =
    &[("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/tokens")];

/// A token outlives its pod; what the agent gives for it does not.
pub(crate) async fn deleted_pod(stage: &Stage) -> Seen {
    stage.namespace("token-deleted", Some("enabled")).await?;
    stage.service_account("token-deleted", "app", ROLE).await?;
    let mut manifest = pod("app", "app", &[container("app", "busybox", &["sleep", "600"])]);
    manifest["spec"]["terminationGracePeriodSeconds"] = 0.into();
    let stored: Pod = stage.create("token-deleted", manifest).await?;
    stage.until_ready("token-deleted", "app", 120).await?;
    let token = bound_token(stage, &stored).await?;
    let mut before = 0;
    stage::until("credentials for the living pod", 30, async || Ok(ask(&token).await?.0 == 200))
        .await?;

    let api = stage.api::<Pod>("token-deleted");
    api.delete("app", &DeleteParams::default()).await?;
    stage::until("the pod's end", 60, async || Ok(api.get_opt("app").await?.is_none())).await?;
    let gone = Instant::now();
    while gone.elapsed() < Duration::from_secs(10) {
        let (status, body) = ask(&token).await?;
        if status != 200 {
            ensure!(status == 403, "refused with {status}, and not with 403: {body}");
            ensure!(
                gone.elapsed() < Duration::from_secs(5),
                "refused only after {:?}",
                gone.elapsed()
            );
            return Ok(format!(
                "its token, replayed from the host: 200 while it lived, 403 {} ms after it was gone ({before} answers later): {}",
                gone.elapsed().as_millis(),
                body["message"]
            ));
        }
        before += 1;
        sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("10 s after the pod was gone its token was still good for {before} answers")
}

/// A good token of a pod that is on another node is no use here.
pub(crate) async fn foreign_node(stage: &Stage) -> Seen {
    let node: Node = serde_json::from_value(json!({"metadata": {"name": "node2"}}))?;
    Api::<Node>::all(stage.client.clone()).create(&PostParams::default(), &node).await?;
    stage.namespace("token-foreign", Some("enabled")).await?;
    stage.service_account("token-foreign", "app", ROLE).await?;
    let mut manifest = pod("app", "app", &[container("app", "busybox", &["sleep", "600"])]);
    manifest["spec"]["nodeName"] = "node2".into();
    let stored: Pod = stage.create("token-foreign", manifest).await?;
    let token = bound_token(stage, &stored).await?;
    let (status, body) = ask(&token).await?;
    Api::<Node>::all(stage.client.clone()).delete("node2", &DeleteParams::default()).await?;
    ensure!(status == 403, "{status}: {body}");
    Ok(format!("403: {}", body["message"]))
}

pub(crate) async fn bound_token(stage: &Stage, pod: &Pod) -> anyhow::Result<String> {
    let namespace = pod.namespace().context("a pod of no namespace")?;
    let request: TokenRequest = serde_json::from_value(json!({"spec": {
        "audiences": ["sts.amazonaws.com"],
        "expirationSeconds": 3600,
        "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name_any(), "uid": pod.uid()},
    }}))?;
    let api = stage.api::<ServiceAccount>(&namespace);
    let minted = api.create_token_request("app", &PostParams::default(), &request).await?;
    Ok(minted.status.context("no token came back")?.token)
}

pub(crate) async fn ask(token: &str) -> anyhow::Result<(u16, Value)> {
    http::credentials(ADDRESS.parse()?, token).await
}
