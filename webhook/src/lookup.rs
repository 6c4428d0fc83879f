//! Looking up a ServiceAccount: the cache first, then one live read shared by all callers, within a
//! rate limit. An event from the watch that arrives meanwhile answers as well.

use std::{sync::Arc, time::Duration};

use podrole_identity::ServiceAccountRef;
use tokio::{sync::watch, time::timeout};

use crate::{
    LookupError, Metrics, ServiceAccount,
    cache::{CacheAnswer, SharedCache},
    live_reads::{LiveReads, LiveServiceAccounts},
    namespaces::NamespaceCache,
    singleflight::Singleflight,
};

/// ServiceAccounts from a cache, and live reads if the cache is not certain.
pub(crate) struct Lookup<L> {
    cache: SharedCache,
    reads: LiveReads<L>,
    fetches: Singleflight<ServiceAccountRef, FetchResult>,
}

type LookupResult = Result<Option<Arc<ServiceAccount>>, LookupError>;

/// What a fetch returns; `None` if the rate limit did not allow it.
type FetchResult = Option<LookupResult>;

impl<L: LiveServiceAccounts> Lookup<L> {
    /// `existing` are the namespaces with a budget of live reads of their own.
    pub(crate) fn new(
        cache: SharedCache,
        existing: NamespaceCache,
        live: L,
        metrics: Metrics,
    ) -> Self {
        let reads = LiveReads::new(live, cache.clone(), existing, metrics);
        Self { cache, reads, fetches: Singleflight::default() }
    }

    /// Whether the ServiceAccount is known to name a role, without a look-up.
    pub(crate) fn knows_role(&self, service_account: &ServiceAccountRef) -> bool {
        let known = self.cache.get(service_account);
        matches!(known, CacheAnswer::Known(Some(found)) if found.names_role())
    }

    pub(crate) async fn find(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> LookupResult {
        // Subscribed before the cache is read: a change between the two would be missed otherwise.
        let changes = self.cache.changes();
        let cached = match self.cache.get(service_account) {
            CacheAnswer::Unsynced => return Err(LookupError::Unsynced),
            CacheAnswer::Known(annotations) => return Ok(annotations),
            CacheAnswer::NoRole(annotations) => Some(annotations),
            CacheAnswer::Unknown => None,
        };
        let mut rate_limited = false;
        let fetching = self.fetch(service_account, patience, changes, &mut rate_limited);
        match (timeout(patience, fetching).await, cached) {
            (Ok(found), _) => found,
            // Under the rate limit the cache's "no role" is final; a metric counts these.
            (Err(_), Some(annotations)) if rate_limited => Ok(Some(annotations)),
            (Err(_), None) if rate_limited => Err(LookupError::Busy),
            (Err(_), _) => Err(LookupError::TooSlow),
        }
    }

    /// Waits for the live read or for the watch, whichever answers first. If the rate limit
    /// allows no read, it sets `rate_limited` and waits for the watch alone.
    async fn fetch(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
        mut changes: watch::Receiver<()>,
        rate_limited: &mut bool,
    ) -> LookupResult {
        let mut in_flight = self.fetches.join(service_account, || {
            let (reads, service_account) = (self.reads.clone(), service_account.clone());
            async move {
                let result = reads.read(&service_account, patience).await?;
                Some(result.map(|found| found.map(|found| found.found)))
            }
        });
        loop {
            tokio::select! {
                result = in_flight.wait_for(Option::is_some), if !*rate_limited => {
                    match result.map(|result| result.clone().flatten()) {
                        Ok(Some(found)) => return self.prefer_watched(service_account, found),
                        Ok(None) => *rate_limited = true,
                        Err(_) => return Err(LookupError::Failed),
                    }
                }
                Ok(()) = changes.changed() => {
                    if let CacheAnswer::Known(found @ Some(_)) = self.cache.get(service_account) {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// A role that the watch has reported meanwhile is newer than a read that found none.
    fn prefer_watched(
        &self,
        service_account: &ServiceAccountRef,
        found: LookupResult,
    ) -> LookupResult {
        match self.cache.get(service_account) {
            CacheAnswer::Known(annotations @ Some(_)) => Ok(annotations),
            _ => found,
        }
    }

    #[cfg(test)]
    pub(crate) fn exhaust_budget(&self) {
        self.reads.exhaust_budget();
    }
}

#[cfg(test)]
mod tests;
