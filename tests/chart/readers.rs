//! What `podrole list` needs of the ClusterRole `podrole-reader`: with it alone nothing is unknown, and without one of
//! its rules the missing right is named.

use std::{path::Path, process::Command};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::{
    core::v1::{Pod, ServiceAccount},
    rbac::v1::ClusterRole,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use podrole_tests::{
    cluster::{Cluster, ISSUER},
    project,
};
use serde_json::{Value, json};

use crate::{
    helm,
    installed::{kubeconfig_of, namespace, release},
    objects,
};

const READERS: [&str; 4] = [
    "agent.createNamespace=false",
    "readers[0].kind=ServiceAccount",
    "readers[0].name=reader",
    "readers[0].namespace=readers",
];
const ROLE: &str = "arn:aws:iam::111122223333:role/shop";

/// The exit code of `podrole list -A` with a kubeconfig, its output and its errors.
fn list(kubeconfig: &Path, more: &[&str]) -> anyhow::Result<(i32, String, String)> {
    podrole(&["list", "-A"], kubeconfig, more)
}

/// The engineer's own AWS configuration must not matter.
fn podrole(
    what: &[&str],
    kubeconfig: &Path,
    more: &[&str],
) -> anyhow::Result<(i32, String, String)> {
    let mut command = Command::new(project::binary("podrole")?);
    command.args(what).arg("--kubeconfig").arg(kubeconfig).args(more);
    command.env("AWS_REGION", "cn-north-1").env("AWS_PROFILE", "none");
    let output = command.output()?;
    let text = |bytes| String::from_utf8(bytes).context("not UTF-8");
    let code = output.status.code().context("no exit code")?;
    Ok((code, text(output.stdout)?, text(output.stderr)?))
}

async fn create(client: &Client) -> anyhow::Result<()> {
    namespace(client, "readers").await?;
    let (apply, post) = (PatchParams::apply("test"), PostParams::default());
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "readers");
    for (name, annotations) in
        [("reader", json!({})), ("app", json!({"eks.amazonaws.com/role-arn": ROLE}))]
    {
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "annotations": annotations}});
        accounts.patch(name, &apply, &Patch::Apply(&object)).await?;
    }
    let pods = Api::<Pod>::namespaced(client.clone(), "readers");
    let pod = json!({"metadata": {"name": "app-1"}, "spec": {"serviceAccountName": "app",
        "containers": [{"name": "app", "image": "app"}]}});
    pods.create(&post, &serde_json::from_value(pod)?).await?;
    Ok(())
}

#[tokio::test]
async fn with_podrole_reader_alone_the_list_is_whole_and_each_missing_right_is_named()
-> anyhow::Result<()> {
    // A cluster of its own: the pods of other tests would count.
    let cluster = &Cluster::start(ISSUER).await?;
    let client = &cluster.client().await?;
    namespace(client, "podrole-agent").await?;
    release("install", &READERS, &cluster.kubeconfig())?;
    create(client).await?;
    let reader = kubeconfig_of(cluster, "readers", "reader").await?;
    let (code, text, error) = list(&reader, &[])?;
    ensure!(code == 0, "{code}\n{text}{error}");
    let line = text.lines().find(|line| line.starts_with("readers")).context("no line")?;
    ensure!(line.contains("web-identity") && line.ends_with(ROLE), "{text}");
    let (_, json, _) = list(&reader, &["-o", "json"])?;
    let report: Value = serde_json::from_str(&json)?;
    ensure!(report["ok"] == true && report["serviceAccounts"][0]["role"] == ROLE, "{json}");

    // No daemon runs here: the checks fail, and none is unknown.
    let (code, json, _) = podrole(&["doctor"], &reader, &["-o", "json"])?;
    let report: Value = serde_json::from_str(&json)?;
    let findings = report["findings"].as_array().context("no findings")?;
    ensure!(code == 1 && findings.len() == 15, "{code} {json}");
    let state = |code: &str| &findings.iter().find(|it| it["code"] == code).unwrap()["state"];
    ensure!(findings.iter().all(|it| it["state"] != "unknown"), "{json}");
    ensure!(state("PR101") == "ok" && state("PR104") == "ok", "{json}");
    ensure!(state("PR105") == "error" && state("PR107") == "error", "{json}");

    let roles = Api::<ClusterRole>::all(client.clone());
    let whole = roles.get("podrole-reader").await?;
    let rules = whole.rules.clone().unwrap_or_default();
    for resource in [
        "namespaces",
        "serviceaccounts",
        "pods",
        "deployments",
        "daemonsets",
        "podidentityassociations",
        "podidentitypatterns",
        "podidentityguardrails",
    ] {
        let mut less = whole.clone();
        less.metadata.managed_fields = None;
        less.metadata.resource_version = None;
        let mut rules = rules.clone();
        for rule in &mut rules {
            rule.resources.iter_mut().for_each(|all| all.retain(|it| it != resource));
        }
        rules.retain(|rule| rule.resources.as_ref().is_none_or(|all| !all.is_empty()));
        less.rules = Some(rules);
        roles.replace("podrole-reader", &PostParams::default(), &less).await?;
        let (code, text) = missing(&reader, resource).await?;
        ensure!(code == 3, "{resource}: {code}\n{text}");
        ensure!(
            text.contains(&format!("kubectl auth can-i list {resource}")),
            "{resource}: {text}"
        );
    }
    Ok(())
}

#[test]
fn podrole_reader_reads_no_secret_no_token_and_no_process_and_writes_nothing() -> anyhow::Result<()>
{
    let set = [&READERS[1..], &["injection.configMap=true"]].concat();
    let rendered = objects::read(&helm::template(&set)?)?;
    let is_readers =
        |it: &&Value| it["metadata"]["name"] == "podrole-reader" && it["rules"].is_array();
    let roles: Vec<_> = rendered.iter().filter(is_readers).collect();
    ensure!(roles.len() == 3, "{} roles", roles.len());
    for role in roles {
        for rule in role["rules"].as_array().into_iter().flatten() {
            let words = |field: &str| -> Vec<&str> {
                rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
            };
            ensure!(words("verbs").iter().all(|it| ["get", "list"].contains(it)), "{rule}");
            let harmless = |it: &&str| *it != "secrets" && !it.contains(['*', '/']);
            ensure!(words("resources").iter().all(harmless), "{rule}");
            let is_named = !words("resourceNames").is_empty();
            ensure!(is_named || !words("resources").contains(&"configmaps"), "{rule}");
        }
    }
    Ok(())
}

/// The list once the API server has noticed that a right is gone, which takes it some milliseconds.
async fn missing(reader: &Path, resource: &str) -> anyhow::Result<(i32, String)> {
    for _ in 0..50 {
        let (code, text, _) = list(reader, &[])?;
        if code != 0 && text.contains(resource) {
            return Ok((code, text));
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (code, text, _) = list(reader, &[])?;
    Ok((code, text))
}
