//! Replaces pods that were missed: those that the webhook would inject today and that run without a credential provider.
//!
//! ```text
//!   labelled namespaces ─► pods, in pages ─► World (missed?) ─► Plan (which is next?) ─► Eviction API
//! ```
//!
//! Only the replica with the Lease does this, only in namespaces with the label `podrole.io/heal: evict`, and only once
//! the webhook has been registered, with an endpoint, for a while: a pod that is evicted earlier would be missed again.
//! The Eviction API honours PodDisruptionBudgets.

mod evict;
mod metrics;
mod plan;
mod pods;
mod request;
mod survey;
mod world;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};
use podrole_certs::{ControllerConfig, webhook_has_endpoint};
use podrole_identity::AssociationList;
use podrole_runtime::latest::Latest;
use tokio::time::{Instant, sleep};

use evict::{About, Evicted, Reason, evict, report};
pub(super) use metrics::HealingMetrics;
use plan::{Plan, SeenPod, Step, Stop, WorkloadKey};
use pods::{Owner, is_complete};
use request::bounded;
use survey::Workload;
use world::{Settings, World};

use super::args::ControllerArgs;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(15);
/// What healing needs.
pub(super) struct Healing {
    client: Client,
    config: ControllerConfig,
    settings: Settings,
    list: Latest<AssociationList>,
    /// Namespaces whose pods are never evicted: podrole's own.
    own: [String; 2],
    wait: Duration,
    identity: String,
    metrics: HealingMetrics,
    /// Whether this replica holds the Lease, and whether its last round succeeded.
    leads: Arc<AtomicBool>,
    active: Arc<AtomicBool>,
}

impl Healing {
    pub(super) fn new(
        client: Client,
        args: &ControllerArgs,
        list: Latest<AssociationList>,
        (leads, active): (Arc<AtomicBool>, Arc<AtomicBool>),
        metrics: HealingMetrics,
    ) -> anyhow::Result<Self> {
        let grant = &args.grant;
        let settings = Settings {
            rules: grant.rules(grant.exchange.unwrap_or_default(), grant.region())?,
            annotations: grant.annotation_rules(grant.region()),
            association_objects: grant.association_objects,
            by_policy: args.remove_webhook.is_some(),
        };
        let own = [args.namespace.clone(), args.agent_namespace.clone()];
        let (wait, identity) = (args.heal_wait, args.identity().to_owned());
        let config = args.config();
        Ok(Self { client, config, settings, list, own, wait, identity, metrics, leads, active })
    }

    /// Heals whenever this replica leads. Never returns.
    pub(super) async fn run(self) {
        loop {
            if self.leads.load(Relaxed) {
                self.tenure().await;
                self.metrics.missed.set(0);
                self.metrics.stopped.set(0);
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// Works until the Lease is lost.
    async fn tenure(&self) {
        let mut plan = Plan::new(self.wait);
        let mut injects_since = None;
        while self.leads.load(Relaxed) {
            injects_since =
                self.injects().await.then(|| injects_since.unwrap_or_else(Instant::now));
            let is_steady = |since: Instant| since.elapsed() >= self.wait;
            if injects_since.is_some_and(is_steady)
                && let Err(error) = self.round(&mut plan).await
            {
                tracing::warn!(error, "could not look for missed pods; trying again");
            }
            self.metrics.stopped.set(i64::try_from(plan.stopped(Instant::now())).unwrap_or(0));
            sleep(ROUND.min(self.wait)).await;
        }
    }

    /// Whether a pod that is created now is injected: the webhook is registered with the caBundle of its certificate,
    /// which the last round has checked, and has an endpoint.
    async fn injects(&self) -> bool {
        if self.settings.by_policy {
            return true;
        }
        self.active.load(Relaxed)
            && webhook_has_endpoint(&self.client, &self.config).await.unwrap_or(false)
    }

    async fn round(&self, plan: &mut Plan) -> Result<(), String> {
        let list = self.list.current().ok_or("the association list has not been read")?;
        let mut namespaces = survey::namespaces(&self.client).await?;
        namespaces.retain(|name, _| !self.own.contains(name));
        let mut world = World::read(&self.client, &self.settings, list).await?;
        let (mut missed, mut workloads) = (0, HashMap::<_, Workload>::new());
        for (name, facts) in &namespaces {
            match survey::workloads(&self.client, name, facts, &mut world).await {
                Ok((seen, count)) => {
                    missed += count;
                    workloads.extend(seen);
                }
                // Other namespaces are healed all the same.
                Err(error) => {
                    tracing::warn!(
                        namespace = name,
                        error,
                        "could not read the pods; trying again"
                    );
                }
            }
        }
        self.metrics.missed.set(missed);
        plan.retain(|key| workloads.contains_key(key) || !namespaces.contains_key(&key.1));
        workloads.retain(|key, workload| workload.concerns(plan, key));
        for key in plan.in_turn(workloads.keys().cloned()) {
            if let Some(workload) = workloads.get(&key) {
                self.heal(plan, &key, workload).await;
            }
        }
        Ok(())
    }

    async fn heal(&self, plan: &mut Plan, key: &WorkloadKey, workload: &Workload) {
        match plan.step(key, &workload.pods, Instant::now()) {
            Step::Nothing => {}
            Step::Stop(why) => self.stop(key, workload, why).await,
            Step::Evict(pod) => {
                if let Some(owner) = workload.owner_of(&pod)
                    && (!pod.ready || self.is_complete(&key.1, owner).await)
                    && self.leads.load(Relaxed)
                {
                    self.evict(plan, key, workload, &pod).await;
                }
            }
        }
    }

    /// Whether all replicas are ready. If that cannot be read, none is spared.
    async fn is_complete(&self, namespace: &str, owner: &Owner) -> bool {
        let kind = GroupVersionKind::gvk("apps", "v1", owner.kind);
        let resource = ApiResource::from_gvk(&kind);
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, &resource);
        match bounded(api.get(&owner.name)).await {
            Ok(found) if found.metadata.uid.as_deref() == Some(&owner.uid) => {
                serde_json::to_value(&found).is_ok_and(|found| is_complete(owner.kind, &found))
            }
            Ok(_) => false,
            Err(error) => {
                let (kind, name) = (owner.kind, &owner.name);
                tracing::warn!(kind, namespace, name, error, "could not read a pod's owner");
                false
            }
        }
    }

    async fn evict(&self, plan: &mut Plan, key: &WorkloadKey, workload: &Workload, pod: &SeenPod) {
        let namespace = key.1.as_str();
        let evicted = evict(&self.client, namespace, pod).await;
        let now = Instant::now();
        match evicted {
            Ok(Evicted::Done) => {
                plan.evicted(key, &workload.pods, now);
                self.metrics.evicted("evicted");
                tracing::info!(namespace, pod = pod.name, "evicted a pod that had been missed");
                let note = "the pod had no credential provider for its ServiceAccount's role; its replacement gets one";
                self.report_on_pod(namespace, pod, Reason::Evicted, note.to_owned()).await;
            }
            Ok(Evicted::Gone) => {}
            Ok(Evicted::Refused) => {
                self.metrics.evicted("refused");
                if plan.refused(key, now) {
                    let note = "the pod has no credential provider for its ServiceAccount's role, and a \
                                PodDisruptionBudget does not permit to replace it; delete the pod, or let the budget \
                                permit one disruption";
                    self.report_on_pod(namespace, pod, Reason::Blocked, note.to_owned()).await;
                }
            }
            Err(error) => {
                self.metrics.evicted("failed");
                plan.refused(key, now);
                tracing::warn!(namespace, pod = pod.name, error, "could not evict a missed pod");
            }
        }
    }

    async fn stop(&self, key: &WorkloadKey, workload: &Workload, why: Stop) {
        let (kind, namespace, name) = (key.0, key.1.as_str(), key.2.as_str());
        let (pod, cause) = match why {
            Stop::MissedAgain(pod) => {
                let cause = format!("pod {} has no credential provider again", pod.name);
                (Some(pod), cause)
            }
            Stop::NotReady => (None, "no replacement has become ready".to_owned()),
        };
        tracing::warn!(kind, namespace, name, cause, "stopped replacing the pods of a workload");
        let note = format!(
            "after the eviction of a pod {cause}, so podrole evicts none of this workload's pods for 24 h; \
             see the pod's Events and the webhook's log"
        );
        let pod = pod.or_else(|| workload.pods.first().cloned());
        if let Some(pod) = pod {
            self.report_on_pod(namespace, &pod, Reason::Stopped, note).await;
        }
    }

    async fn report_on_pod(&self, namespace: &str, pod: &SeenPod, reason: Reason, note: String) {
        let about = About { namespace, name: &pod.name, uid: &pod.uid };
        report(&self.client, &self.identity, &about, reason, note).await;
    }
}
