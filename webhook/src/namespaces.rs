//! The roles that namespaces permit: from the watch, with one live read for a namespace that the
//! watch has not reported yet.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use podrole_identity::PermittedRoles;
use tokio::time::{Instant, timeout};

use crate::{
    LookupError,
    mutex::lock,
    rate_limit::{Rate, RateLimit},
    singleflight::Singleflight,
};

/// Live reads of namespaces. They are rare: the watch reports a new one within milliseconds.
const READS: Rate = Rate { per_second: 20, burst: 40 };

/// Asks the API server itself for a namespace, never a cache of it.
pub(crate) trait LiveNamespaces: Send + Sync + 'static {
    /// The roles that a namespace permits now; `Ok(None)` if it does not exist.
    fn permitted_roles(
        &self,
        namespace: &str,
    ) -> impl Future<Output = Result<Option<PermittedRoles>, LookupError>> + Send;
}

/// The namespaces that the watch or a live read has reported. Clones are the same cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceCache(Arc<Mutex<NamespaceLists>>);

#[derive(Debug, Default)]
struct NamespaceLists {
    permitted: HashMap<String, PermittedRoles>,
    /// A list that is being read; the previous one answers until it is complete.
    listing: HashMap<String, PermittedRoles>,
}

impl NamespaceCache {
    pub(crate) fn begin_list(&self) {
        lock(&self.0).listing.clear();
    }

    pub(crate) fn list(&self, namespace: String, permitted: PermittedRoles) {
        lock(&self.0).listing.insert(namespace, permitted);
    }

    pub(crate) fn end_list(&self) {
        let mut lists = lock(&self.0);
        lists.permitted = std::mem::take(&mut lists.listing);
    }

    pub(crate) fn put(&self, namespace: String, permitted: PermittedRoles) {
        lock(&self.0).permitted.insert(namespace, permitted);
    }

    pub(crate) fn remove(&self, namespace: &str) {
        lock(&self.0).permitted.remove(namespace);
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.0).permitted.len()
    }

    /// Whether the namespace is known to exist.
    pub(crate) fn contains(&self, namespace: &str) -> bool {
        lock(&self.0).permitted.contains_key(namespace)
    }

    fn get(&self, namespace: &str) -> Option<PermittedRoles> {
        lock(&self.0).permitted.get(namespace).cloned()
    }
}

/// Guard-rails from the cache, with live reads of namespaces that it does not have.
pub(crate) struct GuardRails<L> {
    cache: NamespaceCache,
    live: Arc<L>,
    rate_limit: Arc<Mutex<RateLimit>>,
    fetches: Singleflight<String, Result<PermittedRoles, LookupError>>,
}

impl<L: LiveNamespaces> GuardRails<L> {
    pub(crate) fn new(cache: NamespaceCache, live: L) -> Self {
        let rate_limit = Arc::new(Mutex::new(RateLimit::new(READS, Instant::now())));
        Self { cache, live: Arc::new(live), rate_limit, fetches: Singleflight::default() }
    }

    /// The roles that a namespace permits.
    ///
    /// A namespace that cannot be read is an error. It must never count as one without a
    /// guard-rail, or a slow API server would lift every restriction.
    pub(crate) async fn permitted(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> Result<PermittedRoles, LookupError> {
        if let Some(permitted) = self.cache.get(namespace) {
            return Ok(permitted);
        }
        let mut in_flight = self.fetches.join(&namespace.to_owned(), || {
            let (cache, live) = (self.cache.clone(), Arc::clone(&self.live));
            let (rate_limit, namespace) = (Arc::clone(&self.rate_limit), namespace.to_owned());
            async move {
                if !lock(&rate_limit).take(Instant::now()) {
                    return Err(LookupError::Busy);
                }
                let read = live.permitted_roles(&namespace).await?;
                let permitted = read.ok_or(LookupError::Namespace)?;
                cache.put(namespace, permitted.clone());
                Ok(permitted)
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

    use super::*;

    /// Has the namespace `shop`, which permits no role, and counts reads.
    struct FakeNamespaces(Arc<AtomicUsize>);

    impl LiveNamespaces for FakeNamespaces {
        async fn permitted_roles(
            &self,
            namespace: &str,
        ) -> Result<Option<PermittedRoles>, LookupError> {
            self.0.fetch_add(1, SeqCst);
            tokio::task::yield_now().await;
            Ok((namespace == "shop").then(|| PermittedRoles::read(Some(""))))
        }
    }

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn an_unreported_namespace_is_read_once_and_a_missing_one_is_an_error() {
        let reads = Arc::<AtomicUsize>::default();
        let rails = GuardRails::new(NamespaceCache::default(), FakeNamespaces(Arc::clone(&reads)));
        let all = (0..300).map(|_| rails.permitted("shop", LONG));
        for permitted in futures::future::join_all(all).await {
            assert_eq!(permitted, Ok(PermittedRoles::Only(Vec::new())));
        }
        assert_eq!(reads.load(SeqCst), 1);
        assert_eq!(rails.permitted("nowhere", LONG).await, Err(LookupError::Namespace));
    }

    #[tokio::test]
    async fn the_watch_adds_and_removes_guard_rails() {
        let (cache, reads) = (NamespaceCache::default(), Arc::<AtomicUsize>::default());
        let rails = GuardRails::new(cache.clone(), FakeNamespaces(Arc::clone(&reads)));
        cache.begin_list();
        cache.list("shop".to_owned(), PermittedRoles::Any);
        cache.end_list();
        assert_eq!(rails.permitted("shop", LONG).await, Ok(PermittedRoles::Any));
        assert_eq!(reads.load(SeqCst), 0);
        cache.remove("shop");
        assert_eq!(rails.permitted("shop", LONG).await, Ok(PermittedRoles::Only(Vec::new())));
    }

    #[tokio::test]
    async fn unknown_namespaces_are_read_within_the_rate_limit() {
        let reads = Arc::<AtomicUsize>::default();
        let rails = GuardRails::new(NamespaceCache::default(), FakeNamespaces(Arc::clone(&reads)));
        let mut busy = 0;
        for index in 0..60 {
            let result = rails.permitted(&format!("n-{index}"), LONG).await;
            busy += usize::from(result == Err(LookupError::Busy));
        }
        assert!(busy >= 10 && reads.load(SeqCst) <= 50, "{busy}");
    }
}
