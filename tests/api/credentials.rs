//! From a pod that the API server stored to an assumed role, by both ways, with real SDKs.

mod away;
mod deleted;
mod exchanges;
mod mistakes;
mod renewed;
mod replaced;
mod said;
mod slow;
mod start;
mod supervised;

use std::path::Path;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    project, python,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    admission::{register, variables},
    daemons::{self, ACCOUNT, Daemon, WebhookDaemon, role},
    http,
};

const NODE: &str = "node-1";
/// Of the agent's default exchange.
const AUDIENCE: &str = "sts.amazonaws.com";

/// All of podrole around one namespace of the shared cluster.
struct Stage {
    namespace: TestNamespace<'static>,
    sandbox: Daemon,
    agent: Daemon,
    /// Kept, since the pods come through it.
    _webhook: WebhookDaemon,
    folder: TempDir,
}

impl Stage {
    async fn start(name: &str) -> anyhow::Result<Self> {
        let cluster = Cluster::shared().await?;
        make_node(cluster, NODE).await?;
        let namespace = cluster.namespace(name, &[("podrole.io/injection", "enabled")]).await?;
        let subject = format!("system:serviceaccount:{}:app", namespace.name());
        let sandbox = daemons::sandbox(cluster, &subject).await?;
        let agent = daemons::agent(cluster, &sandbox, NODE).await?;
        let folder = tempfile::tempdir()?;
        let below = |path: &str| format!("{}{path}", folder.path().display());
        let webhook = daemons::webhook(
            cluster,
            &[
                &format!("--endpoint-url=http://{}", sandbox.address),
                &format!(
                    "--container-credentials-full-uri=http://{}/v1/credentials",
                    agent.address
                ),
                &format!("--token-mount-path={}", below("/irsa")),
                &format!("--container-credentials-token-mount-path={}", below("/pod-identity")),
            ],
        )
        .await?;
        register(&namespace, &webhook).await?;
        Ok(Self { namespace, sandbox, agent, _webhook: webhook, folder })
    }

    /// A ServiceAccount that names the role and goes `path`.
    async fn service_account(&self, name: &str, path: &str) -> anyhow::Result<()> {
        let role = role();
        let annotations =
            [("eks.amazonaws.com/role-arn", role.as_str()), ("podrole.io/credentials", path)];
        self.namespace.service_account(name, &annotations).await?;
        Ok(())
    }

    /// A pod on our node, as it was stored.
    async fn pod(&self, name: &str, account: &str) -> anyhow::Result<Pod> {
        let mut pod = plain_pod(name, account);
        pod["spec"]["nodeName"] = json!(NODE);
        self.namespace.pod(pod).await
    }

    /// Deletes a pod at once.
    async fn delete(&self, pod: &Pod) -> anyhow::Result<()> {
        let pods = Api::<Pod>::namespaced(self.namespace.client(), self.namespace.name());
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        pods.delete(&pod.name_any(), &now).await?;
        Ok(())
    }

    /// Does what a kubelet would: the token that the stored pod's volume asks for, bound to that
    /// pod, where it is mounted.
    async fn write_token(&self, pod: &Pod) -> anyhow::Result<String> {
        let stored = serde_json::to_value(pod)?;
        let volumes = stored["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        let ours = volumes.iter().find(|volume| {
            ["aws-iam-token", "eks-pod-identity-token"].iter().any(|name| volume["name"] == *name)
        });
        let ours = ours.ok_or_else(|| anyhow::anyhow!("no volume of ours: {stored:#}"))?;
        let wanted = &ours["projected"]["sources"][0]["serviceAccountToken"];
        let audience = wanted["audience"].as_str().unwrap_or_default();
        let seconds = wanted["expirationSeconds"].as_i64().unwrap_or_default();
        let token = self.namespace.bound_token(pod, audience, seconds).await?;
        let mounts = stored["spec"]["containers"][0]["volumeMounts"].as_array().cloned();
        let mounts = mounts.unwrap_or_default();
        let mount = mounts.iter().find(|mount| mount["name"] == ours["name"]);
        let folder = mount.and_then(|mount| mount["mountPath"].as_str()).unwrap_or_default();
        let folder = Path::new(folder);
        anyhow::ensure!(folder.starts_with(self.folder.path()), "mounted at {folder:?}");
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(wanted["path"].as_str().unwrap_or_default()), &token)?;
        Ok(token)
    }

    async fn ask(&self, token: &str) -> anyhow::Result<(u16, Value)> {
        http::credentials(self.agent.address, token).await
    }

    fn assumed(&self) -> String {
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/shop-app/")
    }
}

pub(crate) async fn make_node(cluster: &Cluster, name: &str) -> anyhow::Result<()> {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let node = Node { metadata, ..Node::default() };
    let api = Api::<Node>::all(cluster.client().await?);
    match api.create(&PostParams::default(), &node).await {
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        made => Ok(made.map(drop)?),
    }
}

/// The SDK for Rust, in our own `podrole whoami`.
async fn rust_sdk(variables: &[(String, String)]) -> anyhow::Result<String> {
    daemons::output(&project::binary("podrole")?, &["whoami"], variables).await
}

async fn boto3(variables: &[(String, String)]) -> anyhow::Result<String> {
    const PROGRAM: &str = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])";
    daemons::output(&python::bin()?.join("python"), &["-c", PROGRAM], variables).await
}

#[tokio::test]
async fn the_rust_sdk_becomes_the_role_by_both_ways() {
    for path in ["web-identity", "container"] {
        let stage = Stage::start("rust").await.unwrap();
        stage.service_account("app", path).await.unwrap();
        let pod = stage.pod("app", "app").await.unwrap();
        stage.write_token(&pod).await.unwrap();
        let arn = rust_sdk(&variables(&pod)).await.unwrap();
        assert!(arn.starts_with(&stage.assumed()), "{path}: {arn}");
    }
}

#[tokio::test]
async fn python_boto3_becomes_the_role_by_both_ways() {
    for path in ["web-identity", "container"] {
        let stage = Stage::start("boto3").await.unwrap();
        stage.service_account("app", path).await.unwrap();
        let pod = stage.pod("app", "app").await.unwrap();
        stage.write_token(&pod).await.unwrap();
        let arn = boto3(&variables(&pod)).await.unwrap();
        assert!(arn.starts_with(&stage.assumed()), "{path}: {arn}");
    }
}

#[tokio::test]
async fn another_service_account_is_refused_by_both_ways() {
    let stage = Stage::start("stranger").await.unwrap();
    for path in ["web-identity", "container"] {
        let name = format!("stranger-{path}");
        stage.service_account(&name, path).await.unwrap();
        let pod = stage.pod(&name, &name).await.unwrap();
        let token = stage.write_token(&pod).await.unwrap();
        let refused = rust_sdk(&variables(&pod)).await.unwrap_err().to_string();
        if path == "container" {
            let (status, body) = stage.ask(&token).await.unwrap();
            assert_eq!(status, 403, "{body}");
            let message = body["message"].as_str().unwrap();
            let subject = format!("system:serviceaccount:{}:{name}", stage.namespace.name());
            assert!(message.contains(&subject), "{message}");
            assert!(message.contains("oidc-provider/kubernetes.default.svc"), "{message}");
        } else {
            assert!(refused.contains("AccessDenied"), "{refused}");
        }
    }
}

#[tokio::test]
async fn the_agent_takes_only_tokens_of_living_pods_on_its_node() {
    let stage = Stage::start("tokens").await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let pod = stage.pod("app", "app").await.unwrap();
    let good = stage.write_token(&pod).await.unwrap();
    let (status, body) = stage.ask(&good).await.unwrap();
    assert_eq!(status, 200, "{}", stage.agent.log());
    assert_eq!(body["AccountId"], ACCOUNT);

    let other = stage.namespace.bound_token(&pod, "vault.example.org", 3600).await.unwrap();
    let (status, body) = stage.ask(&other).await.unwrap();
    assert_eq!(status, 400, "{body}");
    let message = body["message"].as_str().unwrap();
    assert!(message.contains("sts.amazonaws.com"), "{message}");

    let unbound = stage.namespace.unbound_token("app", "sts.amazonaws.com", 3600).await.unwrap();
    let (status, body) = stage.ask(&unbound).await.unwrap();
    assert_eq!(status, 403, "{body}");

    let elsewhere = stage.namespace.pod(plain_pod("elsewhere", "app")).await.unwrap();
    let token = stage.namespace.bound_token(&elsewhere, "sts.amazonaws.com", 3600).await.unwrap();
    let (status, body) = stage.ask(&token).await.unwrap();
    assert_eq!(status, 403, "{body}");
}

#[tokio::test]
async fn no_token_and_no_secret_is_in_a_log() {
    let stage = Stage::start("leaks").await.unwrap();
    stage.service_account("app", "container").await.unwrap();
    let pod = stage.pod("app", "app").await.unwrap();
    let token = stage.write_token(&pod).await.unwrap();
    let (status, body) = stage.ask(&token).await.unwrap();
    assert_eq!(status, 200);
    let signature = token.rsplit('.').next().unwrap().to_owned();
    let secrets = [&body["SecretAccessKey"], &body["Token"]];
    let mut hidden: Vec<String> = secrets.map(|s| s.as_str().unwrap().to_owned()).to_vec();
    hidden.push(signature);
    for log in [stage.agent.log(), stage.sandbox.log(), stage._webhook.daemon.log()] {
        for secret in &hidden {
            assert!(!log.contains(secret.as_str()), "a secret is in a log");
        }
    }
}
