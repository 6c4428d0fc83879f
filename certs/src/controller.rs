//! The only part of podrole that writes certificates and webhook configurations. It parses nothing that
//! pods send.
//!
//! Every two seconds the replica that holds the Lease reads what there is, and writes what differs:
//!
//! ```text
//!   Secret of the CAs ─► rotation step ─► MutatingWebhookConfiguration ─► Secret of the serving
//!                                          (caBundle, path)               certificate
//!                     ─► Service, ValidatingWebhookConfiguration
//! ```
//!
//! In this order an API server trusts a CA before it sees a certificate of it. A configuration that
//! does not exist yet waits until a replica of the webhook can answer. We poll because a watch can lose
//! events; a round costs ten small reads.
//!
//! Where the API server's own policy injects pods there is no webhook. A round then deletes what an
//! earlier installation registered: API servers would refuse pods of `required` namespaces otherwise.

mod certificates;
mod registrar;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use kube::Client;
use podrole_runtime::health::Gate;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    CaBundle, ControllerConfig, Lifetimes, MintError,
    cluster::{Cluster, ClusterError},
    lease::{LeaseStep, Tenure},
    registration::{Manifest, Owner},
};

const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How many write conflicts in a row are logged as one warning. A few happen while replicas change; 15
/// (30 s) mean that something else keeps writing.
const CONFLICTS_BEFORE_WARNING: u32 = 15;

/// Why a round did not finish. The next one tries again.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Mint(#[from] MintError),
    #[error("no replica of the webhook is available yet, so it is not registered")]
    Unavailable,
    #[error("the Lease was lost")]
    LeaseLost,
}

/// What others may know of a running controller.
#[derive(Clone)]
pub struct ControllerStatus {
    /// Open while the webhook is registered, by this replica or by the one that holds the Lease.
    pub registered: Gate,
    /// Whether this replica holds the Lease and its last round succeeded. Clones share it.
    pub active: Arc<AtomicBool>,
    /// Whether this replica holds the Lease, whatever became of its last round.
    pub leads: Arc<AtomicBool>,
}

/// Runs until `signalled`. Then, if the controller itself is being deleted, it deletes the webhook
/// configurations, so that nothing is refused while the webhook ends; and it releases the Lease.
pub async fn run_controller(
    client: Client,
    config: ControllerConfig,
    lifetimes: Lifetimes,
    status: ControllerStatus,
    signalled: CancellationToken,
) {
    let tenure = Tenure::new(&config.identity);
    let cluster = Cluster::new(client, config);
    let mut controller = Controller {
        cluster,
        lifetimes,
        tenure,
        status,
        last_known: None,
        segment: None,
        manifests: Vec::new(),
        conflicts: 0,
        waiting: false,
    };
    while !signalled.is_cancelled() {
        let round = controller.round().await;
        controller.report(round);
        tokio::select! {
            () = sleep(POLL_INTERVAL) => {}
            () = signalled.cancelled() => {}
        }
    }
    controller.end().await;
}

/// The result of a round without an error.
enum Round {
    /// Another replica holds the Lease.
    Standby,
    /// All is as it should be.
    Done,
}

struct Controller {
    cluster: Cluster,
    lifetimes: Lifetimes,
    tenure: Tenure,
    status: ControllerStatus,
    /// The CAs of the last successful read. They replace a Secret whose content was lost.
    last_known: Option<CaBundle>,
    /// The secret part of the path. Once known, it replaces one that the Secret has lost.
    segment: Option<String>,
    /// The objects of the ConfigMap when it was last read.
    manifests: Vec<Manifest>,
    /// How many rounds in a row lost a write conflict.
    conflicts: u32,
    /// Whether it was logged that the webhook cannot be registered yet.
    waiting: bool,
}

impl Controller {
    async fn round(&mut self) -> Result<Round, RoundError> {
        let owner = self.cluster.service_account().await?;
        let leads = self.lead(&owner).await?;
        self.status.leads.store(leads, Relaxed);
        if !leads {
            return Ok(Round::Standby);
        }
        if let Some(name) = self.cluster.config().removed_webhook.clone() {
            self.remove_webhook(&name).await?;
            return Ok(Round::Done);
        }
        match self.cluster.registration().await {
            Ok(manifests) => self.manifests = manifests,
            // What was read last is still what was asked for.
            Err(error) if !self.manifests.is_empty() => self.warn(&error),
            Err(error) => return Err(error.into()),
        }
        if self.cluster.config().own_certificates {
            self.with_own_certificates(&owner).await?;
        } else {
            self.register(self.manifests.clone(), &owner, async |_| Ok(())).await?;
        }
        Ok(Round::Done)
    }

    /// Takes or renews the Lease. Returns whether this replica holds it.
    async fn lead(&mut self, owner: &Owner) -> Result<bool, RoundError> {
        let record = self.cluster.lease().await?;
        let begun = Instant::now();
        let step = self.tenure.step(&record, begun);
        match step {
            LeaseStep::Wait => return Ok(false),
            LeaseStep::Keep => {}
            LeaseStep::Renew | LeaseStep::Acquire => {
                let identity = self.tenure.identity().to_owned();
                match self.cluster.write_lease(&record, &identity, owner).await {
                    // Another replica was faster.
                    Err(ClusterError::Conflict) => return Ok(false),
                    written => written?,
                }
                self.tenure.written(begun);
            }
        }
        if step == LeaseStep::Acquire {
            tracing::info!(replica = self.tenure.identity(), "acquired the Lease");
        }
        Ok(self.tenure.may_act(Instant::now()))
    }

    /// Each write comes after this: a request may have taken so long that another replica leads.
    fn still_leads(&self) -> Result<(), RoundError> {
        self.tenure.may_act(Instant::now()).then_some(()).ok_or(RoundError::LeaseLost)
    }

    fn report(&mut self, round: Result<Round, RoundError>) {
        let error = match round {
            Ok(round) => {
                (self.conflicts, self.waiting) = (0, false);
                self.status.active.store(matches!(round, Round::Done), Relaxed);
                self.status.registered.open();
                return;
            }
            Err(error) => error,
        };
        self.status.active.store(false, Relaxed);
        let leads = self.tenure.may_act(Instant::now());
        self.status.leads.store(leads, Relaxed);
        match error {
            RoundError::Cluster(error) => self.warn(&error),
            RoundError::Unavailable if self.waiting => {}
            RoundError::Unavailable => {
                self.waiting = true;
                tracing::info!("waiting for a replica of the webhook before registering it");
            }
            error => tracing::warn!(%error, "could not finish a round; retrying"),
        }
    }

    fn warn(&mut self, error: &ClusterError) {
        let conflict = matches!(error, ClusterError::Conflict);
        self.conflicts = if conflict { self.conflicts + 1 } else { 0 };
        // A single conflict is harmless: the next round reads what won.
        if !conflict || self.conflicts.is_multiple_of(CONFLICTS_BEFORE_WARNING) {
            tracing::warn!(%error, "could not finish a round; retrying");
        }
    }

    async fn end(&mut self) {
        self.status.active.store(false, Relaxed);
        self.status.leads.store(false, Relaxed);
        // Deleted first: at an uninstall our rights are taken away a moment later.
        self.unregister_if_deleted().await;
        if self.tenure.may_act(Instant::now()) {
            self.release().await;
        }
    }

    /// So that a successor does not have to wait until the Lease expires.
    async fn release(&mut self) {
        let released = async {
            let owner = self.cluster.service_account().await?;
            let record = self.cluster.lease().await?;
            if record.holder == self.tenure.identity() {
                self.cluster.write_lease(&record, "", &owner).await?;
            }
            Ok::<_, ClusterError>(())
        };
        if let Err(error) = released.await {
            tracing::info!(%error, "could not release the Lease; it expires by itself");
        }
    }
}
