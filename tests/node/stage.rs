//! The node that the tests stand on: its API, its daemons, `kubectl` and `helm`, and pods in namespaces.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use crate::pods::{container, is_injected, is_ready, pod};
use anyhow::{Context as _, ensure};
use k8s_openapi::{
    api::core::v1::{Namespace, Pod, ServiceAccount},
    serde::{Serialize, de::DeserializeOwned},
};
use kube::{
    Api, Client, Config,
    api::{LogParams, ObjectMeta, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use podrole_tests::{project, wait};
use serde_json::{Value, json};
use tokio::{process::Command, sync::Mutex};

/// Where the chart is installed, and where its agent is.
pub(crate) const NAMESPACE: &str = "podrole";
pub(crate) const AGENT_NAMESPACE: &str = "podrole-agent";
pub(crate) const WEBHOOK: &str = "deployment/podrole-webhook";
pub(crate) const AGENT: &str = "daemonset/podrole-agent";

/// A node that `tests/node/cluster up` has brought up.
pub(crate) struct Stage {
    pub(crate) client: Client,
    state: PathBuf,
    helm: PathBuf,
    /// The images that the node has beside those that it came up with.
    images: Mutex<BTreeSet<String>>,
}

/// What a pod has come to.
pub(crate) struct Ended {
    pub(crate) logs: BTreeMap<String, String>,
}

impl Stage {
    /// # Errors
    /// When there is no node at `$PODROLE_NODE`, or its API server does not answer.
    pub(crate) async fn attach() -> anyhow::Result<Self> {
        podrole_runtime::crypto::install();
        let folder = |name| {
            env::var_os(name)
                .map(PathBuf::from)
                .with_context(|| format!("{name} is not set: run ./test node"))
        };
        let state = folder("PODROLE_NODE")?;
        let file = Kubeconfig::read_from(state.join("kubeconfig"))?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        Ok(Self {
            client: Client::try_from(config)?,
            helm: folder("PODROLE_HELM")?,
            state,
            images: Mutex::default(),
        })
    }

    /// Makes sure that the node has these of the tests' images. One that is not in the cache is made now, which may take minutes.
    pub(crate) async fn images(&self, names: &[&str]) -> anyhow::Result<()> {
        let mut loaded = self.images.lock().await;
        for name in names {
            if loaded.contains(*name) {
                continue;
            }
            let line = outside("tests/node/images/build", &[name]).await?;
            let archive = line.split_whitespace().last().context("no archive was named")?;
            self.cluster("load", &[archive]).await?;
            loaded.insert((*name).to_owned());
        }
        Ok(())
    }

    /// Runs `kubectl`, and gives what it prints.
    pub(crate) async fn kubectl(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(folder_of_binaries()?.join("kubectl"));
        command.arg("--kubeconfig").arg(self.state.join("kubeconfig")).args(words);
        output(command).await
    }

    /// Runs `helm`, and gives what it prints.
    pub(crate) async fn helm(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.helm);
        command.arg("--kubeconfig").arg(self.state.join("kubeconfig")).args(words);
        self.set_helm_folders(&mut command);
        output(command).await
    }

    fn set_helm_folders(&self, command: &mut Command) {
        for (name, folder) in [
            ("HELM_CACHE_HOME", "helm-cache"),
            ("HELM_CONFIG_HOME", "helm-config"),
            ("HELM_DATA_HOME", "helm-data"),
        ] {
            command.env(name, self.state.join(folder));
        }
    }

    /// Runs a line as a person would, in the repository, with `helm` and `kubectl` on the PATH, for so many seconds.
    pub(crate) async fn shell(&self, line: &str, seconds: u64) -> anyhow::Result<String> {
        let helm = Path::new(&self.helm).parent().context("helm has no folder")?.to_owned();
        let before = env::var_os("PATH").unwrap_or_default();
        let folders = [helm, folder_of_binaries()?].into_iter().chain(env::split_paths(&before));
        let mut command = Command::new("timeout");
        command.arg(seconds.to_string()).args(["sh", "-c", line]).current_dir(project::root());
        command.env("PATH", env::join_paths(folders)?);
        command.env("KUBECONFIG", self.state.join("kubeconfig"));
        self.set_helm_folders(&mut command);
        output(command).await
    }

    /// Applies these manifests; they are kept as `name` in the node's folder.
    pub(crate) async fn apply(&self, name: &str, manifests: &str) -> anyhow::Result<()> {
        let path = self.state.join(format!("{name}.yaml"));
        fs::write(&path, manifests)?;
        self.kubectl(&["apply", "-f", path.to_str().unwrap_or_default()]).await?;
        Ok(())
    }

    /// Starts or stops daemons of the node, or runs a command in it.
    pub(crate) async fn cluster(&self, verb: &str, words: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(project::root().join("tests/node/cluster"));
        command.arg(verb).arg(&self.state).args(words);
        output(command).await
    }

    /// Waits until all pods of a Deployment or DaemonSet are as it says.
    pub(crate) async fn rolled_out(&self, namespace: &str, what: &str) -> anyhow::Result<()> {
        let words = ["-n", namespace, "rollout", "status", what, "--timeout=180s"];
        self.kubectl(&words).await.map(drop)
    }

    /// Replaces all pods of a Deployment or DaemonSet.
    pub(crate) async fn restarted(&self, namespace: &str, what: &str) -> anyhow::Result<()> {
        self.kubectl(&["-n", namespace, "rollout", "restart", what]).await?;
        self.rolled_out(namespace, what).await
    }

    /// The node's folder, where its logs are.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Typed objects of a namespace.
    pub(crate) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Makes a namespace; with `injection`, labelled so.
    pub(crate) async fn namespace(
        &self,
        name: &str,
        injection: Option<&str>,
    ) -> anyhow::Result<()> {
        let labels = injection
            .map(|value| BTreeMap::from([("podrole.io/injection".to_owned(), value.to_owned())]));
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(name.to_owned()), labels, ..ObjectMeta::default() },
            ..Namespace::default()
        };
        Api::<Namespace>::all(self.client.clone())
            .create(&PostParams::default(), &namespace)
            .await?;
        let api = self.api::<ServiceAccount>(name);
        until("the namespace's default ServiceAccount", 30, async || {
            Ok(api.get_opt("default").await?.is_some())
        })
        .await
    }

    /// Makes a ServiceAccount with these annotations.
    pub(crate) async fn service_account(
        &self,
        namespace: &str,
        name: &str,
        annotations: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let account = json!({"metadata": {"name": name, "annotations": pairs(annotations)}});
        self.create::<ServiceAccount>(namespace, account).await?;
        Ok(())
    }

    /// Makes an object of `manifest`.
    pub(crate) async fn create<K>(&self, namespace: &str, manifest: Value) -> anyhow::Result<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + Serialize
            + DeserializeOwned,
    {
        let object: K =
            serde_json::from_value(manifest).context("the manifest is not of its kind")?;
        Ok(self.api::<K>(namespace).create(&PostParams::default(), &object).await?)
    }

    /// Waits until a pod of this ServiceAccount would be injected: the API server learns of a label a little later.
    pub(crate) async fn until_injected(
        &self,
        namespace: &str,
        service_account: &str,
    ) -> anyhow::Result<()> {
        let pod: Pod = serde_json::from_value(pod(
            "probe",
            service_account,
            &[container("probe", "probe", &[])],
        ))?;
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let api = self.api::<Pod>(namespace);
        until("injection in the namespace", 60, async || {
            Ok(is_injected(&api.create(&params, &pod).await?))
        })
        .await
    }

    /// Makes a pod, waits until its containers have ended, and gives what they said.
    pub(crate) async fn run_pod(
        &self,
        namespace: &str,
        manifest: Value,
        seconds: u64,
    ) -> anyhow::Result<Ended> {
        let pod: Pod = self.create(namespace, manifest).await?;
        let name = pod.metadata.name.clone().context("a pod without a name")?;
        let api = self.api::<Pod>(namespace);
        until(&format!("the end of pod {namespace}/{name}"), seconds, async || {
            let phase = api.get(&name).await?.status.and_then(|status| status.phase);
            Ok(matches!(phase.as_deref(), Some("Succeeded" | "Failed")))
        })
        .await?;
        let mut logs = BTreeMap::new();
        for container in pod.spec.map(|spec| spec.containers).unwrap_or_default() {
            logs.insert(container.name.clone(), self.log(namespace, &name, &container.name).await?);
        }
        Ok(Ended { logs })
    }

    /// What a container of a pod has said.
    pub(crate) async fn log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> anyhow::Result<String> {
        let params = LogParams { container: Some(container.to_owned()), ..LogParams::default() };
        Ok(self.api::<Pod>(namespace).logs(pod, &params).await?)
    }

    /// Waits until a pod's containers are all ready.
    pub(crate) async fn until_ready(
        &self,
        namespace: &str,
        pod: &str,
        seconds: u64,
    ) -> anyhow::Result<()> {
        let api = self.api::<Pod>(namespace);
        until(&format!("pod {namespace}/{pod} to be ready"), seconds, async || {
            Ok(api.get_opt(pod).await?.is_some_and(|pod| is_ready(&pod)))
        })
        .await
    }
}

/// Looks until it is so, for so many seconds.
pub(crate) async fn until(
    what: &str,
    seconds: u64,
    so: impl AsyncFn() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    wait::until(what, Duration::from_secs(seconds), so).await
}

/// Where `tests/kubernetes/build node` has put them.
fn folder_of_binaries() -> anyhow::Result<PathBuf> {
    env::var_os("PODROLE_NODE_BIN")
        .map(PathBuf::from)
        .context("PODROLE_NODE_BIN is not set: run ./test node")
}

/// What a script of the repository prints. It runs in the machine's network, which reaches the package registries.
pub(crate) async fn outside(script: &str, words: &[&str]) -> anyhow::Result<String> {
    let process =
        env::var("PODROLE_OUTSIDE").context("PODROLE_OUTSIDE is not set: run ./test node")?;
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/proc/{process}/ns/net"));
    command.arg(project::root().join(script)).args(words);
    output(command).await
}

async fn output(mut command: Command) -> anyhow::Result<String> {
    let said = format!("{:?}", command.as_std());
    let output = command.stdin(Stdio::null()).output().await.with_context(|| said.clone())?;
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{said}: {}\n{}", output.status, err.trim());
    Ok(out.into_owned())
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
