//! Live reads of ServiceAccounts: single reads while few are needed, and one list of their
//! namespace for a burst.
//!
//! A deployment tool that annotates two hundred ServiceAccounts and creates their pods in the same
//! second would need two hundred reads; one list answers every caller that was waiting when it
//! began. A caller that arrives later waits for the next list, because the one in flight may be
//! older than the change that its pod depends on.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use podrole_identity::ServiceAccountRef;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use crate::{
    LookupError, Metrics,
    cache::{SharedCache, VersionedServiceAccount},
    metrics::LiveRead,
    mutex::lock,
    namespaces::NamespaceCache,
    read_budget::{ReadBudget, SERVICE_ACCOUNTS},
};

/// How many ServiceAccounts of one namespace are read singly at a time. More than this means a
/// burst, for which one list is cheaper for the API server.
const MAX_SINGLE_READS: usize = 8;
/// How often a list looks whether it may begin.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(25);

/// A ServiceAccount as it is now; `Ok(None)` if it does not exist.
pub(crate) type ReadResult = Result<Option<VersionedServiceAccount>, LookupError>;

/// Every ServiceAccount of a namespace.
pub(crate) type ListResult =
    Result<HashMap<ServiceAccountRef, VersionedServiceAccount>, LookupError>;

/// Asks the API server itself, never a cache of it.
pub(crate) trait LiveServiceAccounts: Send + Sync + 'static {
    fn read(&self, service_account: &ServiceAccountRef) -> impl Future<Output = ReadResult> + Send;

    fn list(&self, namespace: &str) -> impl Future<Output = ListResult> + Send;
}

/// A caller that waits for a list. It receives `None` if the rate limit allows no list in time.
type Waiter = (ServiceAccountRef, oneshot::Sender<Option<ReadResult>>);

/// Reads within a budget. Clones share it.
pub(crate) struct LiveReads<L>(Arc<Inner<L>>);

struct Inner<L> {
    live: L,
    cache: SharedCache,
    metrics: Metrics,
    budget: Mutex<ReadBudget>,
    existing: NamespaceCache,
    namespaces: Mutex<HashMap<String, NamespaceReads>>,
}

/// What is in flight for one namespace.
#[derive(Default)]
struct NamespaceReads {
    /// How many single reads are in flight.
    single_reads: usize,
    /// The callers that wait for the next list.
    waiters: Vec<Waiter>,
    /// Whether a task is listing; it goes on until nothing waits.
    listing: bool,
}

/// How a caller gets its answer.
enum Turn {
    ReadAlone,
    /// The caller is the first that needs a list, and starts the task that lists.
    StartListing(oneshot::Receiver<Option<ReadResult>>),
    AwaitListing(oneshot::Receiver<Option<ReadResult>>),
}

impl<L> Clone for LiveReads<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L: LiveServiceAccounts> LiveReads<L> {
    /// `existing` are the namespaces with a budget of their own.
    pub(crate) fn new(
        live: L,
        cache: SharedCache,
        existing: NamespaceCache,
        metrics: Metrics,
    ) -> Self {
        let budget = Mutex::new(ReadBudget::new(SERVICE_ACCOUNTS, Instant::now()));
        let namespaces = Mutex::default();
        Self(Arc::new(Inner { live, cache, metrics, budget, existing, namespaces }))
    }

    /// Reads a ServiceAccount; returns `None` if the rate limit does not allow it.
    pub(crate) async fn read(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> Option<ReadResult> {
        let result = match self.queue(service_account) {
            Turn::ReadAlone => Some(self.read_alone(service_account, patience).await),
            Turn::StartListing(result) => {
                let namespace = service_account.namespace().to_owned();
                tokio::spawn(self.clone().list_until_idle(namespace, patience));
                result.await.unwrap_or_default()
            }
            Turn::AwaitListing(result) => result.await.unwrap_or_default(),
        };
        self.0.metrics.live_read(match &result {
            None => LiveRead::RateLimited,
            Some(Ok(Some(_))) => LiveRead::Found,
            Some(Ok(None)) => LiveRead::Missing,
            Some(Err(_)) => LiveRead::Failed,
        });
        result
    }

    fn queue(&self, service_account: &ServiceAccountRef) -> Turn {
        let mut namespaces = lock(&self.0.namespaces);
        let reads = namespaces.entry(service_account.namespace().to_owned()).or_default();
        let few = reads.single_reads < MAX_SINGLE_READS && !reads.listing;
        if few && self.may_read(service_account.namespace()) {
            reads.single_reads += 1;
            return Turn::ReadAlone;
        }
        let (sender, result) = oneshot::channel();
        reads.waiters.push((service_account.clone(), sender));
        if std::mem::replace(&mut reads.listing, true) {
            Turn::AwaitListing(result)
        } else {
            Turn::StartListing(result)
        }
    }

    fn may_read(&self, namespace: &str) -> bool {
        let exists = self.0.existing.contains(namespace);
        lock(&self.0.budget).take(namespace, exists, Instant::now())
    }

    async fn read_alone(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> ReadResult {
        let result = timeout(patience, self.0.live.read(service_account)).await;
        let result = result.unwrap_or(Err(LookupError::TooSlow));
        if let Ok(found) = &result {
            self.0.cache.record_live([(service_account.clone(), found.clone())]);
        }
        let mut namespaces = lock(&self.0.namespaces);
        if let Some(reads) = namespaces.get_mut(service_account.namespace()) {
            reads.single_reads -= 1;
            if reads.single_reads == 0 && !reads.listing {
                namespaces.remove(service_account.namespace());
            }
        }
        result
    }

    /// Lists a namespace until no caller waits for it.
    ///
    /// At most half of `patience` is spent on waiting for the budget, so that the list itself still
    /// has the other half before the API server gives up on the review. Nothing is reserved while
    /// it waits: a review with a long timeout would take what those with a short one need.
    async fn list_until_idle(self, namespace: String, patience: Duration) {
        while self.has_waiters(&namespace) {
            if !self.wait_for_budget(&namespace, patience / 2).await {
                let waiters = self.take_waiters(&namespace);
                waiters.into_iter().for_each(|(_, sender)| drop(sender.send(None)));
                continue;
            }
            // Taken just before the list begins: every change that a waiter knew of is in it.
            let waiters = self.take_waiters(&namespace);
            let listed = timeout(patience, self.0.live.list(&namespace)).await;
            self.answer(waiters, &listed.unwrap_or(Err(LookupError::TooSlow)));
        }
    }

    /// Whether a list may begin, at once or within `patience`.
    async fn wait_for_budget(&self, namespace: &str, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            // Asked each time: the watch may report a new namespace meanwhile.
            if self.may_read(namespace) {
                return true;
            }
            if Instant::now() + BETWEEN_ATTEMPTS > deadline {
                return false;
            }
            sleep(BETWEEN_ATTEMPTS).await;
        }
    }

    /// Whether another list is needed. If not, the listing ends under the same lock, so a caller
    /// that queues afterwards starts a new one.
    fn has_waiters(&self, namespace: &str) -> bool {
        let mut namespaces = lock(&self.0.namespaces);
        let Some(reads) = namespaces.get_mut(namespace) else {
            return false;
        };
        reads.listing = !reads.waiters.is_empty();
        let listing = reads.listing;
        if !listing && reads.single_reads == 0 {
            namespaces.remove(namespace);
        }
        listing
    }

    fn take_waiters(&self, namespace: &str) -> Vec<Waiter> {
        let mut namespaces = lock(&self.0.namespaces);
        namespaces
            .get_mut(namespace)
            .map(|reads| std::mem::take(&mut reads.waiters))
            .unwrap_or_default()
    }

    /// Answers the waiters and records the list in the cache.
    ///
    /// Of ServiceAccounts that no caller waited for, only those with a role are recorded: a role
    /// that was missing when the list began may have been added since.
    fn answer(&self, waiters: Vec<Waiter>, listed: &ListResult) {
        if let Ok(listed) = listed {
            let with_role = listed.iter().filter(|(_, found)| found.found.names_role());
            let with_role = with_role.map(|(key, found)| (key.clone(), Some(found.clone())));
            let awaited = waiters.iter();
            let awaited = awaited.map(|(key, _)| (key.clone(), listed.get(key).cloned()));
            self.0.cache.record_live(with_role.chain(awaited));
        }
        for (service_account, sender) in waiters {
            let result = match listed {
                Ok(listed) => Ok(listed.get(&service_account).cloned()),
                Err(error) => Err(*error),
            };
            // Fails if the caller has timed out, which is fine.
            drop(sender.send(Some(result)));
        }
    }

    #[cfg(test)]
    pub(crate) fn exhaust_budget(&self) {
        let later = Instant::now() + Duration::from_secs(3600);
        while lock(&self.0.budget).take("", false, later) {}
    }
}
