//! The chart on a real API server: every object is taken, the notes tell what is on, and nothing stays
//! after the end.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    authentication::v1::TokenRequest,
    core::v1::{Namespace, ServiceAccount},
};
use kube::{
    Api, Client, Config,
    api::{ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use podrole_tests::{cluster::Cluster, project};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::{golden::MODES, helm, objects};

/// There is room for one podrole in a cluster, and the chart insists on it.
static ONE: Mutex<()> = Mutex::const_new(());
/// Modes with objects of kinds that are not Kubernetes's own.
const FOREIGN: [&str; 3] = ["cert-manager", "monitored", "pod-monitors"];
/// Modes with a MutatingAdmissionPolicy.
const WITH_POLICIES: [&str; 2] = ["policy", "both"];

/// The cluster, for one test that installs podrole: others wait.
pub(crate) struct Alone {
    _one: MutexGuard<'static, ()>,
    pub(crate) cluster: &'static Cluster,
    pub(crate) client: Client,
    pub(crate) kubeconfig: PathBuf,
}

/// Waits for the cluster. The agent's namespace is there, because helm cannot make it twice.
pub(crate) async fn alone() -> anyhow::Result<Alone> {
    let one = ONE.lock().await;
    let cluster = Cluster::shared().await?;
    let (client, kubeconfig) = (cluster.client().await?, cluster.kubeconfig());
    namespace(&client, "podrole-agent").await?;
    Ok(Alone { _one: one, cluster, client, kubeconfig })
}

/// helm's `verb` for the release in the namespace `podrole`.
pub(crate) fn release(verb: &str, set: &[&str], kubeconfig: &Path) -> anyhow::Result<String> {
    let chart = helm::chart();
    let chart = chart.to_str().context("the chart's path is not UTF-8")?;
    let mut arguments = vec![verb, "podrole", chart, "-n", "podrole", "--create-namespace"];
    if verb == "upgrade" {
        arguments.pop();
    }
    for value in set {
        arguments.extend(["--set", value]);
    }
    helm::helm(&arguments, Some(kubeconfig))
}

pub(crate) fn uninstall(kubeconfig: &Path) -> anyhow::Result<String> {
    helm::helm(&["uninstall", "podrole", "-n", "podrole"], Some(kubeconfig))
}

/// Whether the API server has MutatingAdmissionPolicies. The tests also run on older ones, where the chart refuses them.
pub(crate) async fn has_policies(client: &Client) -> anyhow::Result<bool> {
    let version = client.apiserver_version().await?;
    let minor: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
    Ok(minor.parse::<u32>()? >= 36)
}

/// A kubeconfig with the rights of a ServiceAccount.
pub(crate) async fn kubeconfig_of(
    cluster: &Cluster,
    namespace: &str,
    service_account: &str,
) -> anyhow::Result<PathBuf> {
    let accounts = Api::<ServiceAccount>::namespaced(cluster.client().await?, namespace);
    let request = TokenRequest::default();
    let params = kube::api::PostParams::default();
    let minted = accounts.create_token_request(service_account, &params, &request).await?;
    let token = minted.status.context("no token")?.token;
    cluster.kubeconfig_with(&format!("{namespace}-{service_account}"), &token)
}

/// A client with the rights of a ServiceAccount.
pub(crate) async fn client_of(
    cluster: &Cluster,
    namespace: &str,
    service_account: &str,
) -> anyhow::Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig_of(cluster, namespace, service_account).await?)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}

#[tokio::test]
async fn every_mode_is_taken_by_the_api_server_and_leaves_nothing_behind() -> anyhow::Result<()> {
    let _one = ONE.lock().await;
    let cluster = Cluster::shared().await?;
    let (client, kubeconfig) = (cluster.client().await?, cluster.kubeconfig());
    for (mode, set) in MODES.iter().filter(|(mode, _)| !FOREIGN.contains(mode)) {
        if WITH_POLICIES.contains(mode) && !has_policies(&client).await? {
            continue;
        }
        // The agent's namespace cannot go here: nothing empties it without a controller.
        let set = [set, &["agent.createNamespace=false"][..]].concat();
        namespace(&client, "podrole-agent").await?;
        release("install", &set, &kubeconfig).with_context(|| mode.to_string())?;
        uninstall(&kubeconfig).with_context(|| mode.to_string())?;
        let left = configurations(&client).await?;
        ensure!(left.is_empty(), "{mode}: {left:?} are left");
    }
    Ok(())
}

#[tokio::test]
async fn the_notes_tell_what_is_on_and_what_is_risky() -> anyhow::Result<()> {
    let _one = ONE.lock().await;
    let cluster = Cluster::shared().await?;
    namespace(&cluster.client().await?, "podrole-agent").await?;
    let chart = helm::chart();
    let chart = chart.to_str().context("the chart's path is not UTF-8")?;
    let notes = |set: &str| -> anyhow::Result<String> {
        let set = format!("{set},agent.createNamespace=false");
        let install =
            ["install", "podrole", chart, "-n", "podrole", "--dry-run=server", "--set", &set];
        let output = helm::helm(&install, Some(&cluster.kubeconfig()))?;
        Ok(output.split_once("NOTES:").context("no notes")?.1.to_owned())
    };
    let text = notes("ipv6=false")?;
    for part in ["STS of us-east-1", "labelled podrole.io/injection: enabled", "enforce=restricted"]
    {
        ensure!(text.contains(part), "no {part:?} in {text}");
    }
    for (set, part) in [
        ("local.enabled=true", "it is for laptops and CI"),
        ("webhook.replicas=1", "Set webhook.replicas=2"),
        ("webhook.hostNetwork=true", "--overwrite pod-security.kubernetes.io/enforce=privileged"),
        ("injection.default=all", "label the namespace podrole.io/injection=required"),
        ("agent.verifyPeer=off", "Set agent.verifyPeer=auto or enforce"),
        ("certificates=files,certificateFiles.secret=tls", "Set certificateFiles.caBundle."),
    ] {
        let text = notes(set)?;
        let warned = text.lines().any(|line| line.starts_with("WARNING: ") && line.contains(part));
        ensure!(warned, "--set {set}: no {part:?} in {text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_podrole_and_ekss_agent_are_found() -> anyhow::Result<()> {
    let Alone { client, kubeconfig, .. } = &alone().await?;
    release("install", &["agent.createNamespace=false"], kubeconfig)?;
    let chart = helm::chart();
    let chart = chart.to_str().unwrap_or_default();
    let second = helm::helm(
        &["install", "other", chart, "-n", "other", "--create-namespace"],
        Some(kubeconfig),
    );
    uninstall(kubeconfig)?;
    let error = second.unwrap_err().to_string();
    ensure!(error.contains("podrole is already installed in this cluster"), "{error}");
    ensure!(error.contains("the webhook configuration podrole: uninstall it"), "{error}");

    let daemon_sets =
        Api::<k8s_openapi::api::apps::v1::DaemonSet>::namespaced(client.clone(), "kube-system");
    let theirs = serde_json::from_value(json!({
        "metadata": {"name": "eks-pod-identity-agent"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "a", "image": "example.org/a:1"}]}}}}))?;
    daemon_sets.create(&kube::api::PostParams::default(), &theirs).await?;
    let beside = release("install", &[], kubeconfig);
    let without = release("install", &["agent.enabled=false"], kubeconfig);
    daemon_sets.delete("eks-pod-identity-agent", &kube::api::DeleteParams::default()).await?;
    uninstall(kubeconfig)?;
    let error = beside.unwrap_err().to_string();
    ensure!(error.contains("set agent.enabled=false"), "{error}");
    without?;
    Ok(())
}

/// EKS's webhook gives pods of its associations tokens that only one exchange takes.
#[tokio::test]
async fn nodes_of_eks_and_another_exchange_are_warned_of() -> anyhow::Result<()> {
    let Alone { client, kubeconfig, .. } = &alone().await?;
    let nodes = Api::<k8s_openapi::api::core::v1::Node>::all(client.clone());
    let node = json!({"metadata": {"name": "ip-10-0-0-1.ec2.internal",
        "labels": {"eks.amazonaws.com/nodegroup": "blue"}}});
    let node = serde_json::from_value(node)?;
    const WARNING: &str = "Set exchange=eks-auth and cluster.name, unless you have none.";
    let eks_auth = ["agent.createNamespace=false", "exchange=eks-auth", "cluster.name=shop"];
    for (is_there, set, warned) in
        [(false, &eks_auth[..1], false), (true, &eks_auth[..1], true), (true, &eks_auth[..], false)]
    {
        if is_there {
            let _ = nodes.create(&kube::api::PostParams::default(), &node).await;
        }
        let installed = release("install", set, kubeconfig);
        let text = installed?;
        uninstall(kubeconfig)?;
        ensure!(text.contains(WARNING) == warned, "{is_there} {set:?}: {text}");
    }
    nodes.delete("ip-10-0-0-1.ec2.internal", &kube::api::DeleteParams::default()).await?;
    Ok(())
}

/// `kubectl apply` of install.yaml is enough; the API server accepts each object unchanged.
#[tokio::test]
async fn install_yaml_is_taken_whole() -> anyhow::Result<()> {
    let _one = ONE.lock().await;
    let cluster = Cluster::shared().await?;
    let client = cluster.client().await?;
    for name in ["podrole", "podrole-agent"] {
        namespace(&client, name).await?;
    }
    let text = std::fs::read_to_string(project::root().join("manifests/install.yaml"))?;
    for object in objects::read(&text)? {
        dry_run(&client, &object).await?;
    }
    Ok(())
}

/// Where an object is read and written.
pub(crate) async fn api_of(
    client: &Client,
    object: &kube::api::DynamicObject,
) -> anyhow::Result<Api<kube::api::DynamicObject>> {
    let types = object.types.clone().context("an object without a kind")?;
    let kind = kube::core::GroupVersionKind::try_from(&types)?;
    let (resource, capabilities) = kube::discovery::pinned_kind(client, &kind).await?;
    Ok(match capabilities.scope {
        kube::discovery::Scope::Cluster => Api::all_with(client.clone(), &resource),
        kube::discovery::Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().context("no namespace")?;
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    })
}

/// Server-side apply, without keeping it.
async fn dry_run(client: &Client, object: &Value) -> anyhow::Result<()> {
    let object: kube::api::DynamicObject = serde_json::from_value(object.clone())?;
    let api = api_of(client, &object).await?;
    let name = object.metadata.name.clone().unwrap_or_default();
    let params = PatchParams {
        dry_run: true,
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::apply("test").force()
    };
    let applied = api.patch(&name, &params, &Patch::Apply(&object)).await;
    applied.with_context(|| format!("{:?} {name}", object.types))?;
    Ok(())
}

pub(crate) async fn configurations(client: &Client) -> anyhow::Result<Vec<String>> {
    let all = ListParams::default();
    let mutating = Api::<MutatingWebhookConfiguration>::all(client.clone()).list(&all).await?;
    let validating = Api::<ValidatingWebhookConfiguration>::all(client.clone()).list(&all).await?;
    let names = mutating.items.into_iter().filter_map(|it| it.metadata.name);
    Ok(names.chain(validating.items.into_iter().filter_map(|it| it.metadata.name)).collect())
}

/// The namespace is there.
pub(crate) async fn namespace(client: &Client, name: &str) -> anyhow::Result<()> {
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
    let params = PatchParams::apply("test");
    Api::<Namespace>::all(client.clone())
        .patch(
            name,
            &params,
            &Patch::Apply(&json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": namespace.metadata})),
        )
        .await?;
    Ok(())
}
