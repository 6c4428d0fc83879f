//! Looking a ServiceAccount up: the cache first, then one live read for all who wait, within a
//! budget; and whatever the watch brings meanwhile counts, too.

use std::{sync::Arc, time::Duration};

use podrole_identity::{ServiceAccountAnnotations, ServiceAccountRef};
use tokio::{sync::watch, time::timeout};

use crate::{
    LookupError, Metrics,
    cache::{Known, SharedCache},
    live_reads::{Live, Reads},
    singleflight::Flights,
};

/// ServiceAccounts out of a cache, with live reads where that is not enough.
pub(crate) struct Lookup<L> {
    cache: SharedCache,
    reads: Reads<L>,
    flights: Flights<ServiceAccountRef, Landed>,
}

type Found = Result<Option<Arc<ServiceAccountAnnotations>>, LookupError>;

/// What a flight brings; `None` where the budget did not allow it.
type Landed = Option<Found>;

impl<L: Live> Lookup<L> {
    pub(crate) fn new(cache: SharedCache, live: L, metrics: Metrics) -> Self {
        let reads = Reads::new(live, cache.clone(), metrics);
        Self { cache, reads, flights: Flights::default() }
    }

    pub(crate) async fn look(&self, account: &ServiceAccountRef, patience: Duration) -> Found {
        // From here on no change is missed.
        let changes = self.cache.changes();
        let known = match self.cache.look(account) {
            Known::Unsynced => return Err(LookupError::Unsynced),
            Known::Said(said) => return Ok(said),
            Known::NoRole(said) => Some(said),
            Known::Never => None,
        };
        let mut over_budget = false;
        let asking = self.ask(account, patience, changes, &mut over_budget);
        match (timeout(patience, asking).await, known) {
            (Ok(found), _) => found,
            // The cache is believed; the metric has said so.
            (Err(_), Some(said)) if over_budget => Ok(Some(said)),
            (Err(_), None) if over_budget => Err(LookupError::Busy),
            (Err(_), _) => Err(LookupError::TooSlow),
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
        let mut flight = self.flights.board(account, || {
            let (reads, account) = (self.reads.clone(), account.clone());
            async move {
                let told = reads.read(&account, patience).await?;
                Some(told.map(|seen| seen.map(|seen| seen.said)))
            }
        });
        loop {
            tokio::select! {
                landed = flight.wait_for(Option::is_some), if !*over_budget => {
                    match landed.map(|landed| landed.clone().flatten()) {
                        Ok(Some(found)) => return self.newest(account, found),
                        Ok(None) => *over_budget = true,
                        Err(_) => return Err(LookupError::Failed),
                    }
                }
                Ok(()) = changes.changed() => {
                    if let Known::Said(found @ Some(_)) = self.cache.look(account) {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// A role that the watch has told meanwhile is newer than a read that found none.
    fn newest(&self, account: &ServiceAccountRef, found: Found) -> Found {
        match self.cache.look(account) {
            Known::Said(said @ Some(_)) => Ok(said),
            _ => found,
        }
    }

    #[cfg(test)]
    pub(crate) fn exhaust_budget(&self) {
        self.reads.exhaust();
    }
}

#[cfg(test)]
mod tests;
