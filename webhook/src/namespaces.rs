//! What namespaces permit: the watch's word, and one live read where it has not told of one yet.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use podrole_identity::PermittedRoles;
use tokio::time::{Instant, timeout};

use crate::{LookupError, mutex::lock, rate_limit::Budget, singleflight::Flights};

/// Asks the API server itself for a namespace.
pub(crate) trait LiveNamespace: Send + Sync + 'static {
    /// What it permits now; `None` where it does not exist.
    fn permitted_roles(
        &self,
        namespace: &str,
    ) -> impl Future<Output = Result<Option<PermittedRoles>, LookupError>> + Send;
}

/// The namespaces that are known. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespaces(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    permitted: HashMap<String, PermittedRoles>,
    /// A list that is being read; the old one serves until it is whole.
    listing: HashMap<String, PermittedRoles>,
}

impl Namespaces {
    pub(crate) fn begin_list(&self) {
        lock(&self.0).listing.clear();
    }

    pub(crate) fn list(&self, namespace: String, permitted: PermittedRoles) {
        lock(&self.0).listing.insert(namespace, permitted);
    }

    pub(crate) fn end_list(&self) {
        let mut known = lock(&self.0);
        known.permitted = std::mem::take(&mut known.listing);
    }

    pub(crate) fn put(&self, namespace: String, permitted: PermittedRoles) {
        lock(&self.0).permitted.insert(namespace, permitted);
    }

    pub(crate) fn remove(&self, namespace: &str) {
        lock(&self.0).permitted.remove(namespace);
    }

    /// How many are known.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).permitted.len()
    }

    fn look(&self, namespace: &str) -> Option<PermittedRoles> {
        lock(&self.0).permitted.get(namespace).cloned()
    }
}

/// Guard-rails out of what is known, with live reads of what is not.
pub(crate) struct GuardRails<L> {
    known: Namespaces,
    live: Arc<L>,
    budget: Arc<Mutex<Budget>>,
    flights: Flights<String, Result<PermittedRoles, LookupError>>,
}

impl<L: LiveNamespace> GuardRails<L> {
    pub(crate) fn new(known: Namespaces, live: L) -> Self {
        let budget = Arc::new(Mutex::new(Budget::new(Instant::now())));
        Self { known, live: Arc::new(live), budget, flights: Flights::default() }
    }

    /// What a namespace permits. A namespace that is not known, and cannot be, is a error and never
    /// a yes.
    pub(crate) async fn permitted(
        &self,
        namespace: &str,
        patience: Duration,
    ) -> Result<PermittedRoles, LookupError> {
        if let Some(permitted) = self.known.look(namespace) {
            return Ok(permitted);
        }
        let mut flight = self.flights.board(&namespace.to_owned(), || {
            let (known, live) = (self.known.clone(), Arc::clone(&self.live));
            let (budget, namespace) = (Arc::clone(&self.budget), namespace.to_owned());
            async move {
                lock(&budget).take(Instant::now(), Duration::ZERO).ok_or(LookupError::Busy)?;
                let read = live.permitted_roles(&namespace).await?;
                let permitted = read.ok_or(LookupError::Namespace)?;
                known.put(namespace, permitted.clone());
                Ok(permitted)
            }
        });
        let landed = timeout(patience, flight.wait_for(Option::is_some)).await;
        let landed = landed.map(|landed| landed.ok().and_then(|landed| landed.clone()));
        landed.ok().flatten().unwrap_or(Err(LookupError::Namespace))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Knows `shop`, which permits none, and counts.
    struct Server(Arc<AtomicUsize>);

    impl LiveNamespace for Server {
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
    async fn what_the_watch_lacks_is_read_once_and_what_is_nowhere_is_a_fault() {
        let asked = Arc::<AtomicUsize>::default();
        let rails = GuardRails::new(Namespaces::default(), Server(Arc::clone(&asked)));
        let all = (0..300).map(|_| rails.permitted("shop", LONG));
        for permitted in futures::future::join_all(all).await {
            assert_eq!(permitted, Ok(PermittedRoles::Only(Vec::new())));
        }
        assert_eq!(asked.load(SeqCst), 1);
        assert_eq!(rails.permitted("nowhere", LONG).await, Err(LookupError::Namespace));
    }

    #[tokio::test]
    async fn the_watch_gives_and_takes_guard_rails() {
        let (known, asked) = (Namespaces::default(), Arc::<AtomicUsize>::default());
        let rails = GuardRails::new(known.clone(), Server(Arc::clone(&asked)));
        known.begin_list();
        known.list("shop".to_owned(), PermittedRoles::Any);
        known.end_list();
        assert_eq!(rails.permitted("shop", LONG).await, Ok(PermittedRoles::Any));
        assert_eq!(asked.load(SeqCst), 0);
        known.remove("shop");
        assert_eq!(rails.permitted("shop", LONG).await, Ok(PermittedRoles::Only(Vec::new())));
    }

    #[tokio::test]
    async fn unknown_namespaces_are_read_within_a_budget() {
        let asked = Arc::<AtomicUsize>::default();
        let rails = GuardRails::new(Namespaces::default(), Server(Arc::clone(&asked)));
        let mut busy = 0;
        for index in 0..60 {
            let told = rails.permitted(&format!("n-{index}"), LONG).await;
            busy += usize::from(told == Err(LookupError::Busy));
        }
        assert!(busy >= 10 && asked.load(SeqCst) <= 50, "{busy}");
    }
}
