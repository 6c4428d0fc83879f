//! Live reads of ServiceAccounts: one by one while few are asked for, and one list of their
//! namespace for a crowd.
//!
//! A deployment tool that annotates two hundred ServiceAccounts and makes their pods in the same
//! second would need two hundred reads; one list answers all who were waiting when it began. Who
//! asks later waits for the next list: the one under way may be too old for them.

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
    cache::{Seen, SharedCache},
    metrics::LiveRead,
    mutex::lock,
    rate_limit::Budget,
};

/// How many ServiceAccounts of one namespace are read one by one at a time.
const ONE_BY_ONE: usize = 8;

/// What a live read told.
pub(crate) type Told = Result<Option<Seen>, LookupError>;

/// Asks the API server itself. The cluster does, and tests do.
pub(crate) trait Live: Send + Sync + 'static {
    /// The ServiceAccount as it is now; `None` where it does not exist.
    fn read(&self, account: &ServiceAccountRef) -> impl Future<Output = Told> + Send;

    /// All of a namespace as they are now.
    fn list(
        &self,
        namespace: &str,
    ) -> impl Future<Output = Result<HashMap<ServiceAccountRef, Seen>, LookupError>> + Send;
}

/// Someone who waits for a list, and how to tell them; nothing where the budget is spent.
type Waiting = (ServiceAccountRef, oneshot::Sender<Option<Told>>);

/// Reads within a budget. Clones share it.
pub(crate) struct Reads<L>(Arc<Inner<L>>);

struct Inner<L> {
    live: L,
    cache: SharedCache,
    metrics: Metrics,
    budget: Mutex<Budget>,
    crowds: Mutex<HashMap<String, Crowd>>,
}

/// Those of one namespace who are being told.
#[derive(Default)]
struct Crowd {
    /// How many are read one by one just now.
    reading: usize,
    /// Those who wait for the next list.
    waiting: Vec<Waiting>,
    /// Whether someone is listing until nobody waits.
    listing: bool,
}

impl<L> Clone for Reads<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L: Live> Reads<L> {
    pub(crate) fn new(live: L, cache: SharedCache, metrics: Metrics) -> Self {
        let budget = Mutex::new(Budget::new(Instant::now()));
        Self(Arc::new(Inner { live, cache, metrics, budget, crowds: Mutex::default() }))
    }

    /// What a ServiceAccount is now; `None` where the budget does not allow to ask.
    pub(crate) async fn read(
        &self,
        account: &ServiceAccountRef,
        patience: Duration,
    ) -> Option<Told> {
        let told = match self.join(account) {
            Joined::Alone => Some(self.read_one(account, patience).await),
            Joined::First(told) => {
                tokio::spawn(self.clone().list(account.namespace().to_owned(), patience));
                told.await.unwrap_or_default()
            }
            Joined::Crowd(told) => told.await.unwrap_or_default(),
        };
        self.0.metrics.live_read(match &told {
            None => LiveRead::OverBudget,
            Some(Ok(Some(_))) => LiveRead::Found,
            Some(Ok(None)) => LiveRead::Missing,
            Some(Err(_)) => LiveRead::Failed,
        });
        told
    }

    fn join(&self, account: &ServiceAccountRef) -> Joined {
        let mut crowds = lock(&self.0.crowds);
        let crowd = crowds.entry(account.namespace().to_owned()).or_default();
        let few = crowd.reading < ONE_BY_ONE && !crowd.listing;
        if few && lock(&self.0.budget).take(Instant::now(), Duration::ZERO).is_some() {
            crowd.reading += 1;
            return Joined::Alone;
        }
        let (tell, told) = oneshot::channel();
        crowd.waiting.push((account.clone(), tell));
        if std::mem::replace(&mut crowd.listing, true) {
            Joined::Crowd(told)
        } else {
            Joined::First(told)
        }
    }

    async fn read_one(&self, account: &ServiceAccountRef, patience: Duration) -> Told {
        let told = timeout(patience, self.0.live.read(account)).await;
        let told = told.unwrap_or(Err(LookupError::TooSlow));
        if let Ok(seen) = &told {
            self.0.cache.answered([(account.clone(), seen.clone())]);
        }
        let mut crowds = lock(&self.0.crowds);
        if let Some(crowd) = crowds.get_mut(account.namespace()) {
            crowd.reading -= 1;
            if crowd.reading == 0 && !crowd.listing {
                crowds.remove(account.namespace());
            }
        }
        told
    }

    /// Lists a namespace until nobody waits for it. Half of the patience at most goes into waiting
    /// for the budget.
    async fn list(self, namespace: String, patience: Duration) {
        while self.someone_waits(&namespace) {
            let wait = lock(&self.0.budget).take(Instant::now(), patience / 2);
            let Some(wait) = wait else {
                self.waiting(&namespace).into_iter().for_each(|(_, tell)| drop(tell.send(None)));
                continue;
            };
            sleep(wait).await;
            let waiting = self.waiting(&namespace);
            let listed = timeout(patience, self.0.live.list(&namespace)).await;
            self.tell(waiting, &listed.unwrap_or(Err(LookupError::TooSlow)));
        }
    }

    /// Whether there is a reason for another list; without one, the listing has ended.
    fn someone_waits(&self, namespace: &str) -> bool {
        let mut crowds = lock(&self.0.crowds);
        let Some(crowd) = crowds.get_mut(namespace) else {
            return false;
        };
        crowd.listing = !crowd.waiting.is_empty();
        let listing = crowd.listing;
        if !listing && crowd.reading == 0 {
            crowds.remove(namespace);
        }
        listing
    }

    fn waiting(&self, namespace: &str) -> Vec<Waiting> {
        let mut crowds = lock(&self.0.crowds);
        crowds
            .get_mut(namespace)
            .map(|crowd| std::mem::take(&mut crowd.waiting))
            .unwrap_or_default()
    }

    /// Of those who did not wait only roles are remembered: that there was none when the list
    /// began says nothing about now.
    fn tell(
        &self,
        waiting: Vec<Waiting>,
        listed: &Result<HashMap<ServiceAccountRef, Seen>, LookupError>,
    ) {
        if let Ok(listed) = listed {
            let with_role = listed.iter().filter(|(_, seen)| seen.said.names_role());
            let all = with_role.map(|(account, seen)| (account.clone(), Some(seen.clone())));
            let asked = waiting.iter();
            let asked = asked.map(|(account, _)| (account.clone(), listed.get(account).cloned()));
            self.0.cache.answered(all.chain(asked));
        }
        for (account, tell) in waiting {
            let told = match listed {
                Ok(listed) => Ok(listed.get(&account).cloned()),
                Err(error) => Err(*error),
            };
            // Whoever has given up is not told.
            drop(tell.send(Some(told)));
        }
    }

    #[cfg(test)]
    pub(crate) fn exhaust(&self) {
        let later = Instant::now() + Duration::from_secs(3600);
        while lock(&self.0.budget).take(later, Duration::ZERO).is_some() {}
    }
}

enum Joined {
    Alone,
    /// In a crowd that nobody lists yet.
    First(oneshot::Receiver<Option<Told>>),
    Crowd(oneshot::Receiver<Option<Told>>),
}
