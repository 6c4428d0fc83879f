//! Kubernetes: the only file that names its client.

use std::{path::Path, sync::Arc, time::Duration};

use futures::{
    StreamExt as _,
    future::{BoxFuture, FutureExt as _},
};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{
        WatchStreamExt as _, reflector,
        reflector::{ObjectRef, Store},
        watcher,
    },
};
use moka::sync::Cache;
use podrole_identity::{AnnotationPrefix, ServiceAccountAnnotations, ServiceAccountRef};
use podrole_runtime::health::Gate;
use serde::Deserialize;
use tokio::time::timeout;

use crate::{
    node::{PodFacts, Pods},
    resolve::{LookupFault, ServiceAccountFacts, ServiceAccounts},
    token::Caller,
};

/// Of a request's 0.8 s, this much may go into asking for a pod.
const POD_TIMEOUT: Duration = Duration::from_millis(500);
const TIMEOUT: Duration = Duration::from_secs(5);
/// A pod that the watch does not have is asked for once in this time.
const MISS: Duration = Duration::from_secs(1);
/// Longer than the watch's own time-out, so that only a dead connection is cut.
const READ_TIMEOUT: Duration = Duration::from_secs(305);

/// A connection to the API server. Clones share it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
}

/// The node's pods, from a watch.
struct WatchedPods {
    store: Store<Pod>,
    client: Client,
    misses: Cache<String, Option<PodFacts>>,
}

/// ServiceAccounts, asked for one by one.
struct LiveServiceAccounts {
    client: Client,
    prefix: AnnotationPrefix,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
}

impl Cluster {
    /// Connects with a kubeconfig file, or as pods and people do: in-cluster, `KUBECONFIG`, `~/.kube`.
    ///
    /// # Errors
    /// One line with the mend.
    pub async fn connect(kubeconfig: Option<&Path>) -> Result<Self, String> {
        let mut config = match kubeconfig {
            Some(path) => read_kubeconfig(path).await?,
            None => Config::infer().await.map_err(|_| {
                "no cluster is configured: run in a pod with a ServiceAccount, or give --kubeconfig"
            })?,
        };
        config.read_timeout = Some(READ_TIMEOUT);
        let client = Client::try_from(config);
        let client = client.map_err(|fault| format!("the Kubernetes client: {fault}"))?;
        Ok(Self { client })
    }

    /// The body at a path of the API server's own.
    ///
    /// # Errors
    /// One line that says what went wrong.
    pub async fn get(&self, path: &str) -> Result<String, String> {
        let request = http::Request::get(path).body(Vec::new());
        let request = request.map_err(|fault| fault.to_string())?;
        match timeout(TIMEOUT, self.client.request_text(request)).await {
            Ok(body) => body.map_err(|fault| one_line(&fault)),
            Err(_) => Err("no answer within 5 s".to_owned()),
        }
    }

    /// The issuer of the tokens that the API server makes.
    ///
    /// # Errors
    /// When it does not say; the mend is `--issuer`.
    pub async fn issuer(&self) -> Result<String, String> {
        let document = self.get("/.well-known/openid-configuration").await?;
        let document: Result<Discovery, _> = serde_json::from_str(&document);
        document
            .map(|document| document.issuer)
            .map_err(|_| "the discovery document is not what OIDC says".to_owned())
    }

    /// Watches the pods of one node from now on; `listed` opens with the first whole list.
    #[must_use]
    pub fn pods(&self, node: &str, listed: Gate) -> Arc<dyn Pods> {
        let (store, writer) = reflector::store();
        let api: Api<Pod> = Api::all(self.client.clone());
        let config = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
        let pods = watcher(api, config).default_backoff().modify(strip);
        let pods = reflector(writer, pods);
        tokio::spawn(pods.for_each(|event| async move {
            if let Err(fault) = event {
                tracing::warn!(fault = %one_line(&fault), "the watch of pods broke off; it begins anew");
            }
        }));
        let ready = store.clone();
        tokio::spawn(async move {
            if ready.wait_until_ready().await.is_ok() {
                listed.open();
            }
        });
        Arc::new(WatchedPods {
            store,
            client: self.client.clone(),
            misses: Cache::builder().max_capacity(1024).time_to_live(MISS).build(),
        })
    }

    /// ServiceAccounts as they are now; a memory before it spares the API server.
    #[must_use]
    pub fn service_accounts(&self, prefix: AnnotationPrefix) -> impl ServiceAccounts + use<> {
        LiveServiceAccounts { client: self.client.clone(), prefix }
    }
}

async fn read_kubeconfig(path: &Path) -> Result<Config, String> {
    let failed = |fault| format!("--kubeconfig {}: {fault}", path.display());
    let file = Kubeconfig::read_from(path).map_err(failed)?;
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    config.map_err(failed)
}

fn one_line(fault: &dyn std::error::Error) -> String {
    let cause = fault.source().map(|cause| format!(": {cause}"));
    let text = format!("{fault}{}", cause.unwrap_or_default());
    text.replace(char::is_control, " ").chars().take(300).collect()
}

/// Leaves of a pod only what is asked of it.
fn strip(pod: &mut Pod) {
    pod.metadata.managed_fields = None;
    pod.metadata.annotations = None;
    pod.metadata.labels = None;
    if let Some(spec) = &mut pod.spec {
        let node_name = spec.node_name.take();
        *spec = k8s_openapi::api::core::v1::PodSpec { node_name, ..Default::default() };
    }
    if let Some(status) = &mut pod.status {
        let phase = status.phase.take();
        *status = k8s_openapi::api::core::v1::PodStatus { phase, ..Default::default() };
    }
}

fn facts(pod: &Pod) -> PodFacts {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let gone_at = pod.metadata.deletion_timestamp.as_ref();
    PodFacts {
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        finished: matches!(phase, Some("Succeeded" | "Failed")),
        gone_at: gone_at.map(|at| at.0),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
    }
}

impl WatchedPods {
    async fn look(&self, caller: &Caller) -> Result<Option<PodFacts>, LookupFault> {
        let namespace = caller.service_account.namespace();
        let watched = ObjectRef::new(&caller.pod_name).within(namespace);
        let watched = self.store.get(&watched).map(|pod| facts(&pod));
        if let Some(pod) = watched.filter(|pod| pod.uid == caller.pod_uid) {
            return Ok(Some(pod));
        }
        if let Some(known) = self.misses.get(&caller.pod_uid) {
            return Ok(known);
        }
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let live = timeout(POD_TIMEOUT, api.get_opt(&caller.pod_name)).await;
        let live = live.map_err(|_| LookupFault("no answer".to_owned()))?;
        let live = live.map_err(|fault| LookupFault(one_line(&fault)))?;
        let live = live.as_ref().map(facts);
        self.misses.insert(caller.pod_uid.clone(), live.clone());
        Ok(live)
    }
}

impl Pods for WatchedPods {
    fn find<'a>(
        &'a self,
        caller: &'a Caller,
    ) -> BoxFuture<'a, Result<Option<PodFacts>, LookupFault>> {
        self.look(caller).boxed()
    }
}

impl LiveServiceAccounts {
    async fn look(
        &self,
        account: &ServiceAccountRef,
    ) -> Result<Option<Arc<ServiceAccountFacts>>, LookupFault> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), account.namespace());
        let found = api.get_opt(account.name()).await;
        let found = found.map_err(|fault| LookupFault(one_line(&fault)))?;
        Ok(found.map(|found| {
            let annotations = found.metadata.annotations.unwrap_or_default();
            Arc::new(ServiceAccountFacts {
                uid: found.metadata.uid.unwrap_or_default(),
                annotations: ServiceAccountAnnotations::read(&annotations, &self.prefix),
            })
        }))
    }
}

impl ServiceAccounts for LiveServiceAccounts {
    fn find<'a>(
        &'a self,
        account: &'a ServiceAccountRef,
    ) -> BoxFuture<'a, Result<Option<Arc<ServiceAccountFacts>>, LookupFault>> {
        self.look(account).boxed()
    }
}
