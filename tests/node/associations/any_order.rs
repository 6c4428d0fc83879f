//! Association, ServiceAccount and pod in one file, in each order: the pod's only question is answered.

use anyhow::ensure;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{arn, labelled, object};
use crate::{
    pods::{container, pod},
    report::Seen,
    sdks,
    stage::{self, Stage},
};

const NAMESPACE: &str = "any-order";
/// Of tests/node/manifests/sandbox.yaml, because the sandbox creates at most 50 roles by itself.
const ROLE: &str = "any-order";
const PODS: usize = 18;
/// With `PODROLE_TEST_ALL`: 2 minutes on 2 cores.
const ALL_PODS: usize = 50;
/// As many pods start at once as a small machine bears.
const AT_ONCE: usize = 6;
/// How often a person applies a file before giving up.
const APPLIES: u32 = 5;
/// The places of association, ServiceAccount and pod.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

pub(super) async fn served(stage: &Stage) -> Seen {
    labelled(stage, NAMESPACE).await?;
    stage.until_injected(NAMESPACE, "default").await?;
    let pods = if std::env::var_os("PODROLE_TEST_ALL").is_some() { ALL_PODS } else { PODS };
    let begun = Instant::now();
    let each = stream::iter(0..pods).map(|index| one(stage, index)).buffer_unordered(AT_ONCE);
    let applies: Vec<u32> = each.try_collect().await?;
    let again = applies.iter().filter(|applies| **applies > 1).count();
    Ok(format!(
        "association, ServiceAccount and pod in one file, in each of {} orders: {pods} of {pods} pods served at their first \
         question, {} s for all; {again} files were applied a second time, because the pod was before its ServiceAccount",
        ORDERS.len(),
        begun.elapsed().as_secs(),
    ))
}

/// Applies one file and waits for the pod's answer. Returns how often the file was applied.
async fn one(stage: &Stage, index: usize) -> anyhow::Result<u32> {
    let name = format!("app-{index}");
    let order = ORDERS[index % ORDERS.len()];
    let documents = documents(&name);
    let file: Vec<_> = order.iter().map(|place| documents[*place].to_string()).collect();
    let mut applies = 1;
    while let Err(error) = stage.apply(&format!("{NAMESPACE}-{index}"), &file.join("\n---\n")).await
    {
        let text = format!("{error:#}");
        ensure!(applies < APPLIES && text.contains("serviceaccount"), "{order:?}: {text}");
        applies += 1;
    }
    let api = stage.api::<Pod>(NAMESPACE);
    stage::until(&format!("the end of pod {name}"), 120, async || {
        let phase = api.get(&name).await?.status.and_then(|status| status.phase);
        Ok(matches!(phase.as_deref(), Some("Succeeded" | "Failed")))
    })
    .await?;
    let log = stage.log(NAMESPACE, &name, "app").await?;
    let role = format!(":assumed-role/{ROLE}/");
    ensure!(sdks::arn(&log).is_some_and(|arn| arn.contains(&role)), "{order:?}: {}", log.trim());
    Ok(applies)
}

/// Association, ServiceAccount and pod.
fn documents(name: &str) -> [Value; 3] {
    let spec = json!({"namespace": NAMESPACE, "serviceAccount": name, "roleARN": arn(ROLE)});
    let association = object("PodIdentityAssociation", &format!("{NAMESPACE}.{name}"), &spec);
    let metadata = json!({"name": name, "namespace": NAMESPACE});
    let service_account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    let mut pod = pod(name, name, &[container("app", "python", &["/whoami", "boto3"])]);
    pod["metadata"] = metadata;
    [association, service_account, pod]
}
