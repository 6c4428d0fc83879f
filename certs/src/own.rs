//! Certificates of our own: the replicas of a webhook share a CA, each serves a leaf of its own,
//! and the API server is told whom to trust.
//!
//! Every two seconds each replica reads the Secret, takes the step that is due if nobody else
//! did, puts the bundle back where somebody overwrote it, and proves to itself that an API server
//! would get through. Looking again and again loses no event; it costs three small reads.

use std::{sync::Arc, time::Duration};

use kube::Client;
use podrole_runtime::{clock::now, health::Gate};
use rustls::ServerConfig;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    Due, Generations, Lives, MintError,
    cluster::{Cluster, ClusterError, Place, Shared},
    leaf::{Expires, Leaf, LeafError},
    proof::prove,
};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// So many looks in a row that lost against somebody else's write are no chance any more.
const CONFLICTS: u32 = 15;

/// Why certificates are not as they should be; it is tried again.
#[derive(Debug, thiserror::Error)]
enum OwnError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Mint(#[from] MintError),
    #[error(transparent)]
    Leaf(#[from] LeafError),
    #[error("an API server would not get through: {0}")]
    Proof(std::io::Error),
}

/// Serves a certificate of our own from now until `stop`. Waits until there is a first one, with
/// a log line for each failure. `certified` is open while an API server would get through.
pub async fn own(
    client: Client,
    place: Place,
    lives: Lives,
    certified: Gate,
    expires: Expires,
    stop: CancellationToken,
) -> Arc<ServerConfig> {
    let cluster = Cluster::new(client, place);
    let mut own = Own { cluster, lives, certified, expires, known: None, conflicts: 0 };
    let leaf = loop {
        match own.first().await {
            Ok(leaf) => break leaf,
            Err(error) => tracing::warn!(%error, "there is no serving certificate yet"),
        }
        sleep(LOOK_EVERY).await;
    };
    let config = Arc::clone(leaf.config());
    tokio::spawn(async move {
        tokio::select! {
            () = own.keep(leaf) => {}
            () = stop.cancelled() => {}
        }
    });
    config
}

/// How a look went.
enum Looked {
    /// The API server has what is served.
    Published,
    /// It was not to be had.
    Alone,
}

struct Own {
    cluster: Cluster,
    lives: Lives,
    certified: Gate,
    expires: Expires,
    /// The CAs as they were last, for a Secret that somebody spoiled.
    known: Option<Generations>,
    /// How many looks in a row lost against somebody else's write.
    conflicts: u32,
}

impl Own {
    async fn first(&mut self) -> Result<Leaf, OwnError> {
        let generations = self.generations().await?;
        let names = self.cluster.names();
        Ok(Leaf::issue(&generations, &names, now(), &self.lives, self.expires.clone())?)
    }

    async fn keep(mut self, mut leaf: Leaf) {
        loop {
            match self.look(&mut leaf).await {
                Ok(Looked::Published) => self.certified.open(),
                // What was proved stays proved while the API server is away, and nothing more is.
                Ok(Looked::Alone) => {}
                Err(error) => {
                    self.certified.close();
                    tracing::error!(%error, "the certificates are not in order");
                }
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Does what is due; without the API server, what can be done with the CAs that are known: its
    /// absence must not outlast our certificate.
    async fn look(&mut self, leaf: &mut Leaf) -> Result<Looked, OwnError> {
        match self.published().await {
            Ok(generations) => {
                self.conflicts = 0;
                self.serve(leaf, &generations).map(|()| Looked::Published)
            }
            Err(OwnError::Cluster(error)) => {
                self.tell(&error);
                let known = self.known.clone();
                let served = known.map_or(Ok(()), |known| self.serve(leaf, &known));
                served.map(|()| Looked::Alone)
            }
            Err(error) => Err(error),
        }
    }

    /// The CAs as they stand, which our configurations have by now.
    async fn published(&mut self) -> Result<Generations, OwnError> {
        let generations = self.generations().await?;
        if self.cluster.publish(&generations.bundle()).await? {
            tracing::info!("the caBundle of our webhook configurations was put right");
        }
        Ok(generations)
    }

    /// Serves a certificate that is not old, and proves it.
    fn serve(&self, leaf: &mut Leaf, generations: &Generations) -> Result<(), OwnError> {
        let names = self.cluster.names();
        if leaf.renew(generations, &names, now(), &self.lives)? {
            tracing::info!("a new serving certificate");
        }
        let name = names.first().map(String::as_str).unwrap_or_default();
        prove(leaf.config(), &generations.bundle(), name).map_err(OwnError::Proof)
    }

    fn tell(&mut self, error: &ClusterError) {
        let lost = matches!(error, ClusterError::Conflict);
        self.conflicts = if lost { self.conflicts + 1 } else { 0 };
        // One that loses does so to another replica, which did the same.
        if !lost || self.conflicts.is_multiple_of(CONFLICTS) {
            tracing::warn!(%error, "the certificates are not looked after");
        }
    }

    /// The CAs as they stand, after the step that is due.
    async fn generations(&mut self) -> Result<Generations, OwnError> {
        let shared = self.cluster.read().await?;
        let now = now();
        let (generations, due) = match self.kept(&shared) {
            Some(kept) => {
                let due = kept.due(now, &self.lives);
                (kept, due)
            }
            None => return self.write(shared, Generations::mint(now, &self.lives)?).await,
        };
        if due == Due::Nothing && !shared.unreadable {
            self.known = Some(generations.clone());
            return Ok(generations);
        }
        tracing::info!(step = ?due, "certificate authorities");
        let next = generations.step(due, now, &self.lives)?;
        self.write(shared, next).await
    }

    fn kept(&self, shared: &Shared) -> Option<Generations> {
        if shared.unreadable {
            tracing::warn!("the Secret's CAs cannot be read; they are written anew");
        }
        shared.generations.clone().or_else(|| self.known.clone())
    }

    async fn write(
        &mut self,
        shared: Shared,
        generations: Generations,
    ) -> Result<Generations, OwnError> {
        self.cluster.write(shared, &generations).await?;
        self.known = Some(generations.clone());
        Ok(generations)
    }
}
