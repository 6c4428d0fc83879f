//! What namespaces permit: from the watch, with one live read for a namespace that the
//! watch has not reported yet.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use podrole_identity::NamespaceFacts;
use tokio::time::{Instant, timeout};

use crate::{
    DEFAULT_PATIENCE, LookupError,
    mutex::lock,
    rate_limit::{Rate, RateLimit},
    singleflight::Singleflight,
};

/// Live reads of namespaces. They are rare: the watch reports a new one within milliseconds.
const READS: Rate = Rate { per_second: 20, burst: 40 };

/// Asks the API server itself for a namespace, never a cache of it.
pub(crate) trait LiveNamespaces: Send + Sync + 'static {
    /// What a namespace permits now; `Ok(None)` if it does not exist.
    fn namespace_facts(
        &self,
        namespace: &str,
    ) -> impl Future<Output = Result<Option<NamespaceFacts>, LookupError>> + Send;
}

/// The namespaces that the watch or a live read has reported. Clones are the same cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceCache(Arc<Mutex<NamespaceLists>>);

#[derive(Debug, Default)]
struct NamespaceLists {
    guard_rails: HashMap<String, Arc<NamespaceFacts>>,
    /// A list that is being read; the previous one answers until it is complete.
    listing: HashMap<String, Arc<NamespaceFacts>>,
}

impl NamespaceCache {
    pub(crate) fn begin_list(&self) {
        lock(&self.0).listing.clear();
    }

    pub(crate) fn list(&self, namespace: String, guard_rail: NamespaceFacts) {
        lock(&self.0).listing.insert(namespace, Arc::new(guard_rail));
    }

    pub(crate) fn end_list(&self) {
        let mut lists = lock(&self.0);
        lists.guard_rails = std::mem::take(&mut lists.listing);
    }

    pub(crate) fn put(&self, namespace: String, guard_rail: NamespaceFacts) {
        lock(&self.0).guard_rails.insert(namespace, Arc::new(guard_rail));
    }

    pub(crate) fn remove(&self, namespace: &str) {
        lock(&self.0).guard_rails.remove(namespace);
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.0).guard_rails.len()
    }

    /// Whether the namespace is known to exist.
    pub(crate) fn contains(&self, namespace: &str) -> bool {
        lock(&self.0).guard_rails.contains_key(namespace)
    }

    fn get(&self, namespace: &str) -> Option<Arc<NamespaceFacts>> {
        lock(&self.0).guard_rails.get(namespace).cloned()
    }
}

/// Guard-rails from the cache, with live reads of namespaces that it does not have.
pub(crate) struct Namespaces<L> {
    cache: NamespaceCache,
    live: Arc<L>,
    rate_limit: Arc<Mutex<RateLimit>>,
    fetches: Singleflight<String, Result<Arc<NamespaceFacts>, LookupError>>,
}

impl<L: LiveNamespaces> Namespaces<L> {
    pub(crate) fn new(cache: NamespaceCache, live: L) -> Self {
        let rate_limit = Arc::new(Mutex::new(RateLimit::new(READS, Instant::now())));
        Self { cache, live: Arc::new(live), rate_limit, fetches: Singleflight::default() }
    }

    /// What a namespace permits.
    ///
    /// A namespace that cannot be read is an error. It must never count as one without a
    /// guard-rail, or a slow API server would lift every restriction.
    pub(crate) async fn find(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> Result<Arc<NamespaceFacts>, LookupError> {
        if let Some(guard_rail) = self.cache.get(namespace) {
            return Ok(guard_rail);
        }
        let mut in_flight = self.fetches.join(&namespace.to_owned(), || {
            let (cache, live) = (self.cache.clone(), Arc::clone(&self.live));
            let (rate_limit, namespace) = (Arc::clone(&self.rate_limit), namespace.to_owned());
            // Without an end, one read that hangs would fail all later callers. A caller with little
            // time left must not fail those that join its read.
            let patience = patience.max(DEFAULT_PATIENCE);
            async move {
                if !lock(&rate_limit).take(Instant::now()) {
                    return Err(LookupError::Busy);
                }
                let read = timeout(patience, live.namespace_facts(&namespace)).await;
                let read = read.unwrap_or(Err(LookupError::Namespace))?;
                let guard_rail = read.ok_or(LookupError::Namespace)?;
                cache.put(namespace, guard_rail.clone());
                Ok(Arc::new(guard_rail))
            }
        });
        let result = timeout(patience, in_flight.wait_for(Option::is_some)).await;
        let result = result.map(|result| result.ok().and_then(|result| result.clone()));
        result.ok().flatten().unwrap_or(Err(LookupError::Namespace))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use podrole_identity::PermittedRoles;

    use super::*;

    fn no_role() -> NamespaceFacts {
        NamespaceFacts { permitted: PermittedRoles::Only(Vec::new()), ..NamespaceFacts::default() }
    }

    /// Has the namespace `shop`, which permits no role, and counts reads.
    struct FakeNamespaces(Arc<AtomicUsize>);

    impl LiveNamespaces for FakeNamespaces {
        async fn namespace_facts(
            &self,
            namespace: &str,
        ) -> Result<Option<NamespaceFacts>, LookupError> {
            self.0.fetch_add(1, SeqCst);
            tokio::task::yield_now().await;
            Ok((namespace == "shop").then(no_role))
        }
    }

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn an_unreported_namespace_is_read_once_and_a_missing_one_is_an_error() {
        let reads = Arc::<AtomicUsize>::default();
        let rails = Namespaces::new(NamespaceCache::default(), FakeNamespaces(Arc::clone(&reads)));
        let all = (0..300).map(|_| rails.find("shop", LONG));
        for found in futures::future::join_all(all).await {
            assert_eq!(found, Ok(Arc::new(no_role())));
        }
        assert_eq!(reads.load(SeqCst), 1);
        assert_eq!(rails.find("nowhere", LONG).await, Err(LookupError::Namespace));
    }

    #[tokio::test]
    async fn the_watch_adds_and_removes_guard_rails() {
        let (cache, reads) = (NamespaceCache::default(), Arc::<AtomicUsize>::default());
        let rails = Namespaces::new(cache.clone(), FakeNamespaces(Arc::clone(&reads)));
        cache.begin_list();
        cache.list("shop".to_owned(), NamespaceFacts::default());
        cache.end_list();
        assert_eq!(rails.find("shop", LONG).await, Ok(Arc::default()));
        assert_eq!(reads.load(SeqCst), 0);
        cache.remove("shop");
        assert_eq!(rails.find("shop", LONG).await, Ok(Arc::new(no_role())));
    }

    #[tokio::test]
    async fn unknown_namespaces_are_read_within_the_rate_limit() {
        let reads = Arc::<AtomicUsize>::default();
        let rails = Namespaces::new(NamespaceCache::default(), FakeNamespaces(Arc::clone(&reads)));
        let mut busy = 0;
        for index in 0..60 {
            let result = rails.find(&format!("n-{index}"), LONG).await;
            busy += usize::from(result == Err(LookupError::Busy));
        }
        assert!(busy >= 10 && reads.load(SeqCst) <= 50, "{busy}");
    }

    /// Never answers its first read.
    struct HangsOnce(Arc<AtomicUsize>);

    impl LiveNamespaces for HangsOnce {
        async fn namespace_facts(&self, _: &str) -> Result<Option<NamespaceFacts>, LookupError> {
            if self.0.fetch_add(1, SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
            Ok(Some(no_role()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_hangs_does_not_fail_later_look_ups() {
        let rails = Namespaces::new(NamespaceCache::default(), HangsOnce(Arc::default()));
        assert_eq!(rails.find("shop", DEFAULT_PATIENCE).await, Err(LookupError::Namespace));
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(rails.find("shop", DEFAULT_PATIENCE).await, Ok(Arc::new(no_role())));
    }
}
