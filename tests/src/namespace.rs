//! A namespace for one test, and what a test puts into it.

use std::{
    collections::BTreeMap,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, Pod, ServiceAccount},
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::cluster::Cluster;

/// Labels or annotations as a test writes them.
pub type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A namespace of a cluster, for one test. A test that fails while it holds one keeps the logs.
pub struct TestNamespace<'a> {
    cluster: &'a Cluster,
    client: Client,
    name: String,
}

impl Cluster {
    /// Creates a namespace with `labels` and a unique name that begins with `prefix`.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn namespace(
        &self,
        prefix: &str,
        labels: Pairs<'_>,
    ) -> anyhow::Result<TestNamespace<'_>> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{}-{count}", process::id());
        let client = self.client().await?;
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: map(labels),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let api = Api::<Namespace>::all(client.clone());
        api.create(&PostParams::default(), &namespace).await?;
        Ok(TestNamespace { cluster: self, client, name })
    }
}

impl TestNamespace<'_> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that it is in.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        self.cluster
    }

    /// A client that may do everything.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The same namespace, by another API server of its cluster.
    ///
    /// # Errors
    /// If that one's kubeconfig is gone.
    pub async fn by<'a>(&self, cluster: &'a Cluster) -> anyhow::Result<TestNamespace<'a>> {
        Ok(TestNamespace { cluster, client: cluster.client().await?, name: self.name.clone() })
    }

    /// Makes the ServiceAccount `name`.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn service_account(
        &self,
        name: &str,
        annotations: Pairs<'_>,
    ) -> anyhow::Result<ServiceAccount> {
        let account = ServiceAccount {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                annotations: map(annotations),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        let api = Api::<ServiceAccount>::namespaced(self.client(), &self.name);
        Ok(api.create(&PostParams::default(), &account).await?)
    }

    /// Makes a pod of `manifest` (JSON as kubectl would send it) and gives it as it was stored.
    ///
    /// # Errors
    /// If the manifest is not a pod, or if the API server rejects it.
    pub async fn pod(&self, manifest: Value) -> anyhow::Result<Pod> {
        self.send(manifest, &PostParams::default()).await
    }

    /// What the pod of `manifest` would be if it were made: admission runs, nothing is stored.
    ///
    /// # Errors
    /// The same as [`TestNamespace::pod`].
    pub async fn dry_run(&self, manifest: Value) -> anyhow::Result<Pod> {
        let params = PostParams { dry_run: true, ..PostParams::default() };
        self.send(manifest, &params).await
    }

    async fn send(&self, manifest: Value, params: &PostParams) -> anyhow::Result<Pod> {
        let pod: Pod = serde_json::from_value(manifest).context("the manifest is not a pod")?;
        let api = Api::<Pod>::namespaced(self.client(), &self.name);
        Ok(api.create(params, &pod).await?)
    }

    /// Gives a pod this IP address, as the kubelet would.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn set_address(&self, pod: &str, ip: &str) -> anyhow::Result<()> {
        let status = json!({"status": {"podIP": ip, "podIPs": [{"ip": ip}]}});
        let pods = Api::<Pod>::namespaced(self.client(), self.name());
        pods.patch_status(pod, &PatchParams::default(), &Patch::Merge(status)).await?;
        Ok(())
    }

    /// Mints a token of `pod`'s ServiceAccount that is bound to that stored pod, as the kubelet
    /// does; it lives `seconds` (600 at least, says Kubernetes).
    ///
    /// # Errors
    /// If the pod names no ServiceAccount, and what the API server says.
    pub async fn bound_token(
        &self,
        pod: &Pod,
        audience: &str,
        seconds: i64,
    ) -> anyhow::Result<String> {
        let spec = pod.spec.as_ref().context("the pod has no spec")?;
        let account =
            spec.service_account_name.as_deref().context("the pod names no ServiceAccount")?;
        let bound = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.name_any()),
            uid: pod.uid(),
        };
        self.mint(account, audience, seconds, Some(bound)).await
    }

    /// Mints a token of `account` that is bound to nothing.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn unbound_token(
        &self,
        account: &str,
        audience: &str,
        seconds: i64,
    ) -> anyhow::Result<String> {
        self.mint(account, audience, seconds, None).await
    }

    async fn mint(
        &self,
        account: &str,
        audience: &str,
        seconds: i64,
        bound_object_ref: Option<BoundObjectReference>,
    ) -> anyhow::Result<String> {
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: vec![audience.to_owned()],
                bound_object_ref,
                expiration_seconds: Some(seconds),
            },
            ..TokenRequest::default()
        };
        let api = Api::<ServiceAccount>::namespaced(self.client(), &self.name);
        let minted = api.create_token_request(account, &PostParams::default(), &request).await?;
        Ok(minted.status.context("no token came back")?.token)
    }
}

impl Drop for TestNamespace<'_> {
    fn drop(&mut self) {
        // The namespace itself stays: the whole cluster goes at the end.
        if std::thread::panicking() {
            self.cluster.keep_logs();
        }
    }
}

/// A pod with one container, which runs nothing: there is no kubelet.
#[must_use]
pub fn plain_pod(name: &str, service_account: &str) -> Value {
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "serviceAccountName": service_account,
            "containers": [{"name": "app", "image": "example.org/app:1"}],
        },
    })
}

fn map(pairs: Pairs<'_>) -> Option<BTreeMap<String, String>> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    (!pairs.is_empty()).then(|| pairs.iter().map(owned).collect())
}
