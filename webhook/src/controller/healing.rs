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
mod replace;
mod survey;
mod warnings;
mod world;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use kube::Client;
use podrole_certs::{ControllerConfig, webhook_has_endpoint};
use podrole_identity::AssociationList;
use podrole_runtime::latest::Latest;
use tokio::time::{Instant, sleep, timeout};

pub(super) use metrics::HealingMetrics;
use plan::Plan;
pub use pods::{Pod, is_missed_pod};
use warnings::Warnings;
use world::{Settings, World};

use super::args::ControllerArgs;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(15);
/// How long the pods of one namespace may take to read, so that one of many ServiceAccounts does not delay the others for long.
const NAMESPACE_PATIENCE: Duration = Duration::from_mins(1);

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
    warnings: Warnings,
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
        let warnings = Warnings::default();
        Ok(Self {
            client,
            config,
            settings,
            list,
            own,
            wait,
            identity,
            metrics,
            warnings,
            leads,
            active,
        })
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
            let begun = Instant::now();
            injects_since = self.injects().await.then(|| injects_since.unwrap_or(begun));
            let is_steady = |since: Instant| since.elapsed() >= self.wait;
            if injects_since.is_some_and(is_steady)
                && let Err(error) = self.round(&mut plan).await
                && self.warnings.is_due("round")
            {
                tracing::warn!(error, "could not look for missed pods; trying again");
            }
            self.metrics.stopped.set(i64::try_from(plan.stopped(Instant::now())).unwrap_or(0));
            // A round that takes long must not be all that the API server does for us.
            sleep(ROUND.min(self.wait).max(begun.elapsed())).await;
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
        let namespaces = survey::namespaces(&self.client).await?;
        let namespaces = survey::without_own(namespaces, &self.own);
        let mut world = World::read(&self.client, &self.settings, list).await?;
        let (mut missed, mut workloads) = (0, HashMap::<_, Vec<_>>::new());
        for (name, facts) in &namespaces {
            if !self.leads.load(Relaxed) {
                return Ok(());
            }
            let seen = survey::workloads(&self.client, name, facts, &mut world);
            let seen = timeout(NAMESPACE_PATIENCE, seen).await;
            match seen.unwrap_or_else(|_| Err("it took too long".to_owned())) {
                Ok((seen, count)) => {
                    missed += count;
                    workloads.extend(seen);
                }
                // Other namespaces are healed all the same.
                Err(error) if self.warnings.is_due(name) => {
                    tracing::warn!(
                        namespace = name,
                        error,
                        "could not read the pods; trying again"
                    );
                }
                Err(_) => {}
            }
        }
        self.metrics.missed.set(missed);
        plan.forget_old(Instant::now());
        workloads.retain(|key, pods| plan.concerns(key, pods));
        for key in plan.in_turn(workloads.keys().cloned(), Instant::now()) {
            if let Some(pods) = workloads.get(&key) {
                self.heal(plan, &key, pods).await;
            }
        }
        Ok(())
    }
}
