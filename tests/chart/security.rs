//! Pod Security, by the real API server: the webhook's pods are `restricted`, the agent's need
//! `privileged`, and both of our namespaces carry the level that fits.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use podrole_tests::{cluster::Cluster, namespace::TestNamespace};
use serde_json::{Value, json};

use crate::{helm, objects};

const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// Makes the pod of a rendered workload in a namespace of this level.
pub(crate) async fn admitted(level: &str, workload: &Value) -> anyhow::Result<Result<(), String>> {
    let cluster = Cluster::shared().await?;
    let namespace = cluster.namespace("level", &[(ENFORCE, level)]).await?;
    accounts(&namespace, workload).await?;
    let mut pod = objects::pod(workload, "pod");
    // Without a controller manager, the API server does not know the system's priority classes.
    if let Some(spec) = pod["spec"].as_object_mut() {
        spec.retain(|key, _| key != "priorityClassName");
    }
    Ok(namespace.dry_run(pod).await.map(drop).map_err(|error| format!("{error:#}")))
}

async fn accounts(namespace: &TestNamespace<'_>, workload: &Value) -> anyhow::Result<()> {
    let name = workload.pointer("/spec/template/spec/serviceAccountName");
    let name = name.and_then(Value::as_str).context("no ServiceAccount")?;
    let api = Api::<ServiceAccount>::namespaced(namespace.client(), namespace.name());
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
    api.patch(name, &PatchParams::apply("test"), &Patch::Apply(account)).await?;
    Ok(())
}

#[tokio::test]
async fn the_release_namespaces_pods_are_restricted() -> anyhow::Result<()> {
    let modes: [&[&str]; 4] = [
        &["local.enabled=true", "local.config=accounts: {}", "local.tlsSecret=tls"],
        &["certificates=cert-manager"],
        &["certificates=files", "certificateFiles.secret=tls"],
        &["exchange=eks-auth", "cluster.name=shop", "ipv6=true"],
    ];
    for set in modes {
        let rendered = objects::read(&helm::template(set)?)?;
        let workloads = rendered.iter().filter(|it| it["kind"] == "Deployment");
        let workloads: Vec<_> = workloads.collect();
        ensure!(workloads.len() >= 2, "the webhook and the controller are looked at");
        for workload in workloads {
            let name = &workload["metadata"]["name"];
            admitted("restricted", workload)
                .await?
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("{name} with {set:?}"))?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_agent_is_privileged_and_nothing_less() -> anyhow::Result<()> {
    let rendered = objects::read(&helm::template(&["local.enabled=true"])?)?;
    let agent = objects::find(&rendered, "DaemonSet", "podrole-agent")?;
    admitted("privileged", agent).await?.map_err(anyhow::Error::msg)?;
    let refusal =
        admitted("baseline", agent).await?.expect_err("the host's network is not baseline");
    // No more than this, so that each later addition must be listed here.
    let whole = "\"baseline:latest\": non-default capabilities (containers \"prepare\", \"setup\" must not include \
        \"NET_ADMIN\" in securityContext.capabilities.add), host namespaces (hostNetwork=true), hostPath volumes \
        (volumes \"node\", \"cgroups\"): Forbidden";
    ensure!(refusal.contains(whole), "{refusal}");
    Ok(())
}

#[test]
fn both_namespaces_carry_their_level() -> anyhow::Result<()> {
    let rendered = objects::read(&helm::template(&["createNamespace=true"])?)?;
    for (name, level) in [("podrole", "restricted"), ("podrole-agent", "privileged")] {
        let namespace = objects::find(&rendered, "Namespace", name)?;
        ensure!(namespace["metadata"]["labels"][ENFORCE] == level, "{name}");
    }
    Ok(())
}

#[test]
fn an_agent_is_what_the_node_needs() -> anyhow::Result<()> {
    let rendered = objects::read(&helm::template(&[])?)?;
    let spec = &objects::find(&rendered, "DaemonSet", "podrole-agent")?["spec"];
    let pod = &spec["template"]["spec"];
    ensure!(spec["updateStrategy"]["rollingUpdate"] == json!({"maxSurge": 1, "maxUnavailable": 0}));
    ensure!(pod["hostNetwork"] == true && pod["dnsPolicy"] == "Default");
    ensure!(pod["priorityClassName"] == "system-node-critical");
    ensure!(pod["tolerations"] == json!([{"operator": "Exists"}]));
    let agent = &pod["containers"][0];
    ensure!(agent["ports"].is_null(), "a containerPort keeps the successor from the node");
    let security = &agent["securityContext"];
    ensure!(security["capabilities"] == json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}));
    ensure!(
        security["runAsUser"] == podrole_node::host_dir::USER && security["runAsNonRoot"] == true
    );
    ensure!(security["readOnlyRootFilesystem"] == true);
    ensure!(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault");
    let setup = &pod["initContainers"][1];
    ensure!(setup["restartPolicy"] == "Always", "setup is a sidecar");
    for container in [agent, setup, &pod["initContainers"][0]] {
        let add = &container["securityContext"]["capabilities"]["add"];
        let allowed = add.as_array().is_some_and(|it| it.contains(&json!("NET_BIND_SERVICE")));
        ensure!(
            allowed,
            "the program has it as a file capability, and would not start: {container}"
        );
    }
    let local = objects::read(&helm::template(&["local.enabled=true"])?)?;
    let agent = objects::find(&local, "DaemonSet", "podrole-agent")?;
    ensure!(agent["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirstWithHostNet");
    Ok(())
}
