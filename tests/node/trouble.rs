//! What may be wrong at install or start: each is detected there, and reported in a sentence with its fix.

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use podrole_node::host_dir::USER;
use podrole_tests::project;
use serde_json::{Value, json};

use crate::{
    pods::{container, is_ready, pod},
    report::Seen,
    stage::{self, AGENT_NAMESPACE, NAMESPACE, Stage, WEBHOOK},
};

/// As EKS registers its own, for pods of every namespace; no process answers.
const EKS: &str = include_str!("manifests/pod-identity-webhook.yaml");

/// What is wrong with an agent, its flags, its user, and what its log must say.
const AGENTS: [(&str, &[&str], u32, &str); 3] = [
    ("no-region", &[], USER, "no AWS region; set --region"),
    ("address-taken", &["--region=us-east-1"], 0, "stop the process that uses this one"),
    (
        "issuer-unreachable",
        &[
            "--region=us-east-1",
            "--port=8099",
            "--keys-from=issuer",
            "--issuer=https://nowhere.invalid",
        ],
        USER,
        "nowhere.invalid",
    ),
];

pub(crate) async fn trouble(stage: &Stage) -> Seen {
    let mut seen = vec![
        refused(
            stage,
            "contradiction",
            &["--set", "exchange=assume-role"],
            "set cluster.name and cluster.arn",
        )
        .await?,
        refused(
            stage,
            "second-podrole",
            &["--set", "agent.namespace=second-agent"],
            "podrole is already installed in this cluster",
        )
        .await?,
    ];
    for (name, flags, user, sentence) in AGENTS {
        seen.push(agent(stage, name, flags, user, sentence).await?);
    }
    seen.extend(strangers(stage).await?);
    seen.push(unwilling_role(stage).await?);
    seen.push(beside_eks(stage).await?);
    Ok(seen.iter().map(|line| format!("\n    {line}")).collect())
}

/// An install that helm does not begin.
async fn refused(stage: &Stage, name: &str, values: &[&str], sentence: &str) -> Seen {
    let chart = project::root().join("manifests/chart");
    let chart = chart.to_str().context("a path that is not UTF-8")?;
    let mut words = vec!["install", name, chart, "--namespace", name, "--create-namespace"];
    words.extend(values);
    let Err(fault) = stage.helm(&words).await else { bail!("{name}: helm installed it") };
    let fault = format!("{fault:#}");
    let line = fault.lines().find(|line| line.contains(sentence));
    Ok(format!("{name}: {}", line.with_context(|| format!("{name}: {fault}"))?.trim()))
}

/// A second agent on the node, which cannot serve; its log says why.
async fn agent(stage: &Stage, name: &str, flags: &[&str], user: u32, sentence: &str) -> Seen {
    let mut command = vec!["/podrole-agent", "--node-name=node1", "--metrics-port=2799"];
    command.extend(flags);
    let mut container = container("agent", "podrole", &command);
    let capabilities = json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]});
    container["securityContext"] = json!({"runAsUser": user, "capabilities": capabilities});
    let mut manifest = pod(name, "podrole-agent", &[container]);
    manifest["spec"]["hostNetwork"] = true.into();
    stage.create::<Pod>(AGENT_NAMESPACE, manifest).await?;
    let said = said(stage, AGENT_NAMESPACE, name, "agent", sentence).await;
    stage.api::<Pod>(AGENT_NAMESPACE).delete(name, &DeleteParams::default()).await?;
    Ok(format!("{name}: {}", said?))
}

/// Agents with the user and the folder of the one that serves the node: of another podrole, and with another exchange.
async fn strangers(stage: &Stage) -> anyhow::Result<Vec<String>> {
    stage.service_account(AGENT_NAMESPACE, "second-agent", &[]).await?;
    let mut seen = Vec::new();
    for (name, service_account, flags, sentence) in [
        (
            "second-agent",
            "second-agent",
            &[][..],
            "podrole already serves this node with an agent of the ServiceAccount podrole-agent/podrole-agent",
        ),
        (
            "other-exchange",
            "podrole-agent",
            &["--exchange=eks-auth", "--cluster-name=shop"],
            "exchange eks-auth instead of web-identity",
        ),
    ] {
        let mut command = vec!["/podrole-agent", "--node-name=node1", "--region=us-east-1"];
        command.extend(["--handover=/var/lib/podrole/handover.sock"]);
        command.extend(["--handover-token=/token/token", "--health-socket=/token-run/health"]);
        command.extend(flags);
        let mut container = container("agent", "podrole", &command);
        let capabilities = json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]});
        container["securityContext"] = json!({"runAsUser": USER, "capabilities": capabilities});
        container["volumeMounts"] = json!([
            {"name": "node", "mountPath": "/var/lib/podrole"},
            {"name": "token", "mountPath": "/token"},
            {"name": "run", "mountPath": "/token-run"},
        ]);
        let health = ["/podrole-node", "health", "--socket=/token-run/health"];
        container["readinessProbe"] = json!({"exec": {"command": health}, "periodSeconds": 1});
        let mut manifest = pod(name, service_account, &[container]);
        manifest["spec"]["hostNetwork"] = true.into();
        let token = json!({"audience": "podrole.io/agent", "path": "token"});
        manifest["spec"]["volumes"] = json!([
            {"name": "node", "hostPath": {"path": "/var/lib/podrole"}},
            {"name": "token", "projected": {"sources": [{"serviceAccountToken": token}]}},
            {"name": "run", "emptyDir": {}},
        ]);
        stage.create::<Pod>(AGENT_NAMESPACE, manifest).await?;
        let said = said(stage, AGENT_NAMESPACE, name, "agent", sentence).await;
        // It has been asked for its readiness meanwhile, and again.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        let stored = stage.api::<Pod>(AGENT_NAMESPACE).get(name).await?;
        stage.api::<Pod>(AGENT_NAMESPACE).delete(name, &DeleteParams::default()).await?;
        let said = said?;
        ensure!(!is_ready(&stored), "{name} is ready: {said}");
        let phase = stored.status.and_then(|status| status.phase);
        ensure!(phase.as_deref() == Some("Running"), "{name} has not waited: {phase:?}");
        seen.push(format!("{name}: {said}"));
    }
    Ok(seen)
}

/// The first line of a log that says `sentence`, without the text around it.
async fn said(stage: &Stage, namespace: &str, pod: &str, container: &str, sentence: &str) -> Seen {
    let find = async || {
        let log = stage.log(namespace, pod, container).await?;
        let line = log.lines().find(|line| line.contains(sentence)).map(ToOwned::to_owned);
        line.with_context(|| log.lines().last().unwrap_or("nothing was said").to_owned())
    };
    stage::until(&format!("{pod} to say \"{sentence}\""), 60, async || find().await.map(|_| true))
        .await?;
    let line = find().await?;
    let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
    let error = parsed["error"].as_str().map(|error| format!(": {error}")).unwrap_or_default();
    Ok(parsed["message"].as_str().map_or(line, |message| format!("{message}{error}")))
}

/// A role that trusts another ServiceAccount: the SDK's error and the pod's Event say what its trust policy must contain.
async fn unwilling_role(stage: &Stage) -> Seen {
    let annotations = [("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/trouble")];
    stage.namespace("trouble", Some("enabled")).await?;
    for name in ["first", "second"] {
        stage.service_account("trouble", name, &annotations).await?;
        stage.until_injected("trouble", name).await?;
        let containers = [container("boto3", "python", &["/whoami", "boto3"])];
        let ended = stage.run_pod("trouble", pod(name, name, &containers), 120).await?;
        let log = &ended.logs["boto3"];
        ensure!(log.contains("assumed-role/trouble/") == (name == "first"), "{name}: {log}");
    }
    let field = "involvedObject.name=second,type=Warning";
    let events = &[
        "-n",
        "trouble",
        "get",
        "events",
        "--field-selector",
        field,
        "-o",
        "jsonpath={.items[*].message}",
    ];
    stage::until("an Event on the refused pod", 30, async || {
        Ok(stage.kubectl(events).await?.contains("trust policy"))
    })
    .await?;
    Ok(format!("unwilling-role: {}", stage.kubectl(events).await?))
}

/// EKS's webhook in the same namespaces: both would inject, and the log says so.
async fn beside_eks(stage: &Stage) -> Seen {
    stage.apply("eks", EKS).await?;
    stage.restarted(NAMESPACE, WEBHOOK).await?;
    let newest = &[
        "-n",
        NAMESPACE,
        "get",
        "pods",
        "-l",
        "app.kubernetes.io/component=webhook",
        "--sort-by=.metadata.creationTimestamp",
        "-o",
        "jsonpath={.items[-1:].metadata.name}",
    ];
    let name = stage.kubectl(newest).await?;
    let said = said(stage, NAMESPACE, &name, "webhook", "pod-identity-webhook").await;
    stage.kubectl(&["delete", "mutatingwebhookconfiguration", "pod-identity-webhook"]).await?;
    Ok(format!("beside-eks: {}", said?))
}
