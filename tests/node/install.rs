//! The chart, installed as a platform engineer would, and taken away again.

use std::fs;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use podrole_tests::project;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

use crate::{
    load::pods_meanwhile,
    report::Seen,
    sdks::{self, STS},
    stage::{self, AGENT, AGENT_NAMESPACE, NAMESPACE, Stage, WEBHOOK},
};

/// What the sandbox forwards to.
const MOTO: &str = include_str!("manifests/moto.yaml");
const RELEASE: &str = "podrole";
/// What the example runs, which no registry brings here: our image with the CLI has its name.
const CLI: &str = "public.ecr.aws/aws-cli/aws-cli:2.31.0";
/// The image that was built here, and what only these tests ask of the sandbox: HTTPS under STS's own name, and sessions short
/// enough to be renewed while a test looks.
const VALUES: &[&str] = &[
    "image.repository=docker.io/local/podrole",
    "image.tag=test",
    "image.pullPolicy=Never",
    "region=us-east-1",
    "local.enabled=true",
    "agent.startupTaint=true",
    "local.upstream=http://moto.moto.svc:5000",
    "local.tlsSecret=sts-tls",
    "injection.endpointURLs[0]=https://sts.us-east-1.amazonaws.com",
    "local.extraArgs={--credential-life=2m}",
];

/// Installs the chart and waits until all of it is ready.
pub(crate) async fn installed(stage: &Stage) -> Seen {
    stage.namespace(NAMESPACE, None).await?;
    stage
        .kubectl(&[
            "label",
            "namespace",
            NAMESPACE,
            "pod-security.kubernetes.io/enforce=restricted",
        ])
        .await?;
    certificate(stage).await?;
    stage.apply("moto", MOTO).await?;
    let notes = helm(stage, "install", &[]).await?;
    let registered =
        ["get", "mutatingwebhookconfiguration,validatingwebhookconfiguration", "podrole"];
    stage.kubectl(&registered).await.context("`--wait` ended before the webhook was registered")?;
    stage.rolled_out("moto", "deployment/moto").await?;
    let notes = notes.split_once("NOTES:").map_or(notes.as_str(), |(_, notes)| notes).trim();
    Ok(format!(
        "ready; helm's notes:\n{}",
        notes.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    ))
}

/// Upgrades it to other values, which replaces webhook, controller and agent at once.
pub(crate) async fn upgraded(stage: &Stage) -> anyhow::Result<()> {
    // The sandbox stays: AWS does not restart when podrole does.
    let other = [
        "--set",
        "webhook.podAnnotations.round=two,controller.podAnnotations.round=two,agent.podAnnotations.round=two",
    ];
    helm(stage, "upgrade", &other).await?;
    Ok(())
}

/// `helm upgrade --wait` with more words.
pub(crate) async fn upgraded_to(stage: &Stage, more: &[&str]) -> anyhow::Result<()> {
    helm(stage, "upgrade", more).await.map(drop)
}

/// `helm install --wait` where all that it needs is there from before.
pub(crate) async fn installed_again(stage: &Stage, more: &[&str]) -> anyhow::Result<()> {
    helm(stage, "install", more).await.map(drop)
}

async fn helm(stage: &Stage, verb: &str, more: &[&str]) -> anyhow::Result<String> {
    let chart = project::root().join("manifests/chart");
    let chart = chart.to_str().context("a path that is not UTF-8")?;
    let mut words =
        vec![verb, RELEASE, chart, "--namespace", NAMESPACE, "--wait", "--timeout", "180s"];
    for value in VALUES {
        words.extend(["--set", value]);
    }
    let roles =
        format!("local.config={}/tests/node/manifests/sandbox.yaml", project::root().display());
    words.extend(["--set-file", &roles]);
    words.extend(more);
    stage.helm(&words).await
}

/// The certificate that the sandbox serves as STS, from a CA of this run.
async fn certificate(stage: &Stage) -> anyhow::Result<()> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "the test node's CA");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let host = STS.trim_start_matches("https://").to_owned();
    let leaf = CertificateParams::new(vec![host])?.signed_by(&key, &ca)?;
    fs::write(stage.state().join("sts-ca.crt"), ca.pem())?;
    let secret = json!({"metadata": {"name": "sts-tls"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": leaf.pem(), "tls.key": key.serialize_pem()}});
    stage.create::<Secret>(NAMESPACE, secret).await?;
    Ok(())
}

/// Gives our image with the CLI the name of the example's.
pub(crate) async fn tag_cli(stage: &Stage) -> anyhow::Result<()> {
    let tag = ["-n", "k8s.io", "image", "tag", "--force", "docker.io/local/python:test", CLI];
    stage.cluster("exec", &[&["ctr"], &tag[..]].concat()).await?;
    Ok(())
}

/// `kubectl apply -f examples/`: the example's pod says within a minute which role it has.
pub(crate) async fn examples(stage: &Stage) -> Seen {
    let begun = tokio::time::Instant::now();
    tag_cli(stage).await?;
    let folder = project::root().join("examples");
    let apply = async || stage.kubectl(&["apply", "-f", folder.to_str().unwrap_or_default()]).await;
    if apply().await.is_err() {
        apply().await?; // the first made the namespace
    }
    let api = stage.api::<Pod>("shop");
    let mut said = String::new();
    stage::until("the example's ARN", 60, async || {
        for pod in api.list(&kube::api::ListParams::default()).await?.items {
            let name = pod.metadata.name.unwrap_or_default();
            if api.logs(&name, &kube::api::LogParams::default()).await?.contains("assumed-role/") {
                return Ok(true);
            }
        }
        Ok(false)
    })
    .await?;
    for pod in api.list(&kube::api::ListParams::default()).await?.items {
        said += &api
            .logs(&pod.metadata.name.unwrap_or_default(), &kube::api::LogParams::default())
            .await
            .unwrap_or_default();
    }
    let arn = said.lines().find(|line| line.contains("assumed-role/")).unwrap_or_default();
    Ok(format!(
        "{} s after `kubectl apply -f examples/` its pod said {}",
        begun.elapsed().as_secs(),
        sdks::arn(arn).unwrap_or_else(|| arn.trim().to_owned())
    ))
}

/// `helm uninstall` while pods are made in a `required` namespace: none is refused, and nothing that could block one is left.
pub(crate) async fn uninstalled(stage: &Stage) -> Seen {
    stage.namespace("uninstall", Some("required")).await?;
    stage
        .service_account(
            "uninstall",
            "app",
            &[("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/uninstall")],
        )
        .await?;
    stage.until_injected("uninstall", "app").await?;
    let gone = async {
        stage
            .helm(&["uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout", "180s"])
            .await?;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await; // pods without us, too
        Ok(())
    };
    let ((), made) = pods_meanwhile(stage, "uninstall", gone).await?;
    made.none_refused()?;
    ensure!(made.injected > 0 && made.missed > 0, "made before and after? {made:?}");
    unregistered(stage).await?;
    Ok(format!(
        "{} pods injected and then {} without us, none refused; no webhook configuration is left",
        made.injected, made.missed
    ))
}

/// Nothing calls a webhook any more.
async fn unregistered(stage: &Stage) -> anyhow::Result<()> {
    let kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations";
    let left = stage.kubectl(&["get", kinds, "-o", "name"]).await?;
    ensure!(left.trim().is_empty(), "left behind: {left}");
    Ok(())
}

/// `kubectl apply -f manifests/install.yaml` is enough.
pub(crate) async fn plain(stage: &Stage) -> Seen {
    stage
        .kubectl(&[
            "delete",
            "namespace",
            NAMESPACE,
            AGENT_NAMESPACE,
            "--ignore-not-found",
            "--wait",
        ])
        .await?;
    let file = fs::read_to_string(project::root().join("manifests/install.yaml"))?;
    let image = file
        .lines()
        .find_map(|line| line.trim().strip_prefix("image: "))
        .context("install.yaml has no image")?
        .trim_matches('"')
        .to_owned();
    stage
        .cluster(
            "exec",
            &[
                "ctr",
                "-n",
                "k8s.io",
                "image",
                "tag",
                "--force",
                "docker.io/local/podrole:test",
                &image,
            ],
        )
        .await?;
    let path = project::root().join("manifests/install.yaml");
    stage.kubectl(&["apply", "-f", path.to_str().unwrap_or_default()]).await?;
    stage.namespace("plain", Some("enabled")).await?;
    stage
        .service_account(
            "plain",
            "app",
            &[("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/plain")],
        )
        .await?;
    stage.rolled_out(NAMESPACE, WEBHOOK).await?;
    stage.rolled_out(AGENT_NAMESPACE, AGENT).await?;
    stage.until_injected("plain", "app").await?;
    // As manifests/README.md says.
    let controller = ["-n", NAMESPACE, "delete", "deployment", "podrole-controller"];
    let foreground = ["--cascade=foreground", "--timeout=60s"];
    stage.kubectl(&[&controller[..], &foreground].concat()).await?;
    unregistered(stage).await?;
    let said = stage
        .kubectl(&[
            "delete",
            "-f",
            path.to_str().unwrap_or_default(),
            "--ignore-not-found",
            "--wait=false",
        ])
        .await?;
    Ok(format!(
        "webhook and agent ready, a pod injected; the controller took the registration back; `kubectl delete -f` takes {} objects away",
        said.lines().count()
    ))
}
