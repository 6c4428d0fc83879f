//! Looking a ServiceAccount up: the cache first, then one live read for all who wait, within a
//! budget; and whatever the watch brings meanwhile counts, too.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use podrole_identity::{ServiceAccountAnnotations, ServiceAccountRef};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    LookupFault, Metrics, ServiceAccounts,
    budget::Budget,
    cache::{Cache, Known, Seen},
    metrics::LiveRead,
};

/// Asks the API server itself. The cluster does, and tests do.
pub(crate) trait Live: Send + Sync + 'static {
    /// The ServiceAccount as it is now; `None` where it does not exist.
    fn read(
        &self,
        account: &ServiceAccountRef,
    ) -> impl Future<Output = Result<Option<Seen>, LookupFault>> + Send;
}

/// The cache that the watch fills. Clones are the same cache.
#[derive(Clone, Default)]
pub(crate) struct SharedCache {
    cache: Arc<Mutex<Cache>>,
    changed: Arc<watch::Sender<()>>,
}

impl SharedCache {
    /// Changes what is known, and lets those who wait look again.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Cache)) {
        change(&mut lock(&self.cache));
        self.changed.send_replace(());
    }

    fn look(&self, account: &ServiceAccountRef) -> Known {
        lock(&self.cache).look(account, Instant::now())
    }
}

/// ServiceAccounts out of a cache, with live reads where that is not enough.
pub(crate) struct Lookup<L> {
    cache: SharedCache,
    shared: Arc<Flights<L>>,
}

/// The live reads that are under way.
struct Flights<L> {
    live: L,
    metrics: Metrics,
    budget: Mutex<Budget>,
    flying: Mutex<HashMap<ServiceAccountRef, watch::Receiver<Landed>>>,
}

/// Where a flight has got to.
#[derive(Clone, Debug, Default)]
enum Landed {
    #[default]
    NotYet,
    Told(Result<Option<Arc<ServiceAccountAnnotations>>, LookupFault>),
    OverBudget,
}

type Found = Result<Option<Arc<ServiceAccountAnnotations>>, LookupFault>;

impl<L: Live> Lookup<L> {
    pub(crate) fn new(cache: SharedCache, live: L, metrics: Metrics) -> Self {
        let flights = Flights {
            live,
            metrics,
            budget: Mutex::new(Budget::new(Instant::now())),
            flying: Mutex::default(),
        };
        Self { cache, shared: Arc::new(flights) }
    }

    async fn look(&self, account: &ServiceAccountRef, patience: Duration) -> Found {
        // From here on no change is missed.
        let changes = self.cache.changed.subscribe();
        let exists = match self.cache.look(account) {
            Known::Unsynced => return Err(LookupFault::Unsynced),
            Known::Said(said) => return Ok(said),
            Known::NoRole => true,
            Known::Never => false,
        };
        let mut over_budget = false;
        let asking = self.ask(account, patience, changes, &mut over_budget);
        match timeout(patience, asking).await {
            Ok(found) => found,
            // The cache is believed; the metric has said so.
            Err(_) if over_budget && exists => Ok(None),
            Err(_) if over_budget => Err(LookupFault::Busy),
            Err(_) => Err(LookupFault::TooSlow),
        }
    }

    /// Waits for the live read or for the watch, whichever tells first.
    async fn ask(
        &self,
        account: &ServiceAccountRef,
        patience: Duration,
        mut changes: watch::Receiver<()>,
        over_budget: &mut bool,
    ) -> Found {
        let mut flight = self.board(account, patience);
        loop {
            tokio::select! {
                landed = flight.wait_for(|landed| !matches!(landed, Landed::NotYet)),
                    if !*over_budget => match landed.as_deref() {
                        Ok(Landed::Told(found)) => return found.clone(),
                        Ok(_) => *over_budget = true,
                        Err(_) => return Err(LookupFault::Failed),
                    },
                Ok(()) = changes.changed() => {
                    if let Known::Said(found @ Some(_)) = self.cache.look(account) {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// The flight for this ServiceAccount: the one that is under way, or a new one.
    fn board(&self, account: &ServiceAccountRef, patience: Duration) -> watch::Receiver<Landed> {
        let mut flying = lock(&self.shared.flying);
        // One whose sender is gone has crashed.
        if let Some(flight) = flying.get(account).filter(|flight| flight.has_changed().is_ok()) {
            return flight.clone();
        }
        let (land, flight) = watch::channel(Landed::NotYet);
        flying.insert(account.clone(), flight.clone());
        let (shared, cache) = (Arc::clone(&self.shared), self.cache.clone());
        let account = account.clone();
        tokio::spawn(async move {
            let landed = shared.fly(&account, patience, &cache).await;
            lock(&shared.flying).remove(&account);
            land.send_replace(landed);
        });
        flight
    }
}

impl<L: Live> Flights<L> {
    /// One live read. Half of the patience at most goes into waiting for the budget.
    async fn fly(
        &self,
        account: &ServiceAccountRef,
        patience: Duration,
        cache: &SharedCache,
    ) -> Landed {
        let Some(wait) = lock(&self.budget).take(Instant::now(), patience / 2) else {
            self.metrics.live_read(LiveRead::OverBudget);
            return Landed::OverBudget;
        };
        sleep(wait).await;
        let answer = timeout(patience.saturating_sub(wait), self.live.read(account)).await;
        let answer = answer.unwrap_or(Err(LookupFault::TooSlow));
        self.metrics.live_read(match &answer {
            Ok(Some(_)) => LiveRead::Found,
            Ok(None) => LiveRead::Missing,
            Err(_) => LiveRead::Failed,
        });
        if let Ok(seen) = &answer {
            lock(&cache.cache).answered(account.clone(), seen.as_ref(), Instant::now());
        }
        Landed::Told(answer.map(|seen| seen.map(|seen| seen.said)))
    }
}

impl<L: Live> ServiceAccounts for Lookup<L> {
    async fn find(
        &self,
        account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<Option<ServiceAccountAnnotations>, LookupFault> {
        let found = self.look(account, patience).await?;
        Ok(found.map(|said| (*said).clone()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
