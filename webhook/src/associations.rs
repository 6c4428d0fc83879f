//! The cluster's PodIdentityAssociations: from the watch, with a live read before "there is none".

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use podrole_identity::{Association, RoleArn, ServiceAccountRef, Unreadable};
use tokio::time::{Instant, timeout};

use crate::{
    DEFAULT_PATIENCE, FoundAssociation, LookupError, Metrics,
    metrics::LiveRead,
    mutex::lock,
    namespaces::NamespaceCache,
    read_budget::{ASSOCIATIONS, ReadBudget},
    singleflight::Singleflight,
};

/// How long a live read's answer is valid, as for ServiceAccounts.
const LIVE_ANSWER_LIFE: Duration = Duration::from_secs(5);
/// How many answers of live reads are kept at a time.
const MAX_ANSWERS: usize = 4096;

/// Asks the API server itself, never a cache of it.
pub(crate) trait LiveAssociations: Send + Sync + 'static {
    fn association(
        &self,
        service_account: &ServiceAccountRef,
    ) -> impl Future<Output = Result<FoundAssociation, LookupError>> + Send;
}

/// The associations that the watch has reported, and those that live reads found. Clones are the same
/// cache.
#[derive(Clone, Debug, Default)]
pub(crate) struct AssociationCache(Arc<Mutex<Lists>>);

/// By object name. There may be 100,000: only what decides is kept.
type Associations = HashMap<Box<str>, Packed>;

#[derive(Debug, Default)]
struct Lists {
    current: Option<Associations>,
    /// A list that is being read; the previous one answers until it is complete.
    listing: Associations,
    /// What live reads found, by object name, and when.
    live: HashMap<Box<str>, (Instant, FoundAssociation)>,
}

/// What is kept of an association.
#[derive(Debug)]
pub(crate) enum Packed {
    /// An association that has only a role, as most have.
    Role(Box<str>),
    Whole(Box<Association>),
    Unreadable(Box<Unreadable>),
}

impl Packed {
    pub(crate) fn new(found: Result<Association, Unreadable>) -> Self {
        let association = match found {
            Ok(association) => association,
            Err(unreadable) => return Self::Unreadable(Box::new(unreadable)),
        };
        let plain = association.role.as_ref().filter(|role| {
            let only_role = of_role(&association.service_account, (*role).clone());
            only_role == association
        });
        match plain {
            Some(role) => Self::Role(role.as_str().into()),
            None => Self::Whole(Box::new(without_policy_text(association))),
        }
    }

    pub(crate) fn unpack(&self, service_account: &ServiceAccountRef) -> FoundAssociation {
        match self {
            Self::Role(role) => {
                let role: RoleArn = role.parse().ok()?;
                Some(Ok(of_role(service_account, role)))
            }
            Self::Whole(association) => Some(Ok((**association).clone())),
            Self::Unreadable(unreadable) => Some(Err((**unreadable).clone())),
        }
    }
}

fn of_role(service_account: &ServiceAccountRef, role: RoleArn) -> Association {
    Association {
        service_account: service_account.clone(),
        role: Some(role),
        target_role: None,
        external_id: None,
        disable_session_tags: false,
        policy: None,
        duration_seconds: None,
        session_name: None,
        pod_tags: None,
        not_before: None,
    }
}

/// Admission asks of a policy only whether it is a JSON object.
fn without_policy_text(mut association: Association) -> Association {
    if let Some(policy) = &mut association.policy
        && serde_json::from_str::<serde_json::Map<_, _>>(policy).is_ok()
    {
        *policy = "{}".to_owned();
    }
    association
}

impl AssociationCache {
    pub(crate) fn begin_list(&self) {
        lock(&self.0).listing.clear();
    }

    pub(crate) fn list(&self, name: &str, found: Result<Association, Unreadable>) {
        lock(&self.0).listing.insert(name.into(), Packed::new(found));
    }

    pub(crate) fn end_list(&self) {
        let mut lists = lock(&self.0);
        lists.listing.shrink_to_fit();
        lists.current = Some(std::mem::take(&mut lists.listing));
    }

    pub(crate) fn put(&self, name: &str, found: Result<Association, Unreadable>) {
        let packed = Packed::new(found);
        lock(&self.0).current.get_or_insert_default().insert(name.into(), packed);
    }

    pub(crate) fn remove(&self, name: &str) {
        let mut lists = lock(&self.0);
        if let Some(current) = &mut lists.current {
            current.remove(name);
        }
        // A live read may have found it before. If it found a newer one, it will again.
        lists.live.remove(name);
    }

    /// The answer of a live read that is still valid.
    fn live(&self, service_account: &ServiceAccountRef) -> Option<FoundAssociation> {
        let lists = lock(&self.0);
        let (at, found) = lists.live.get(Association::object_name(service_account).as_str())?;
        (at.elapsed() < LIVE_ANSWER_LIFE).then(|| found.clone())
    }

    fn record_live(&self, service_account: &ServiceAccountRef, found: FoundAssociation) {
        let live = &mut lock(&self.0).live;
        live.retain(|_, (at, _)| at.elapsed() < LIVE_ANSWER_LIFE);
        if live.len() < MAX_ANSWERS {
            let name = Association::object_name(service_account);
            live.insert(name.into(), (Instant::now(), found));
        }
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.0).current.as_ref().map_or(0, HashMap::len)
    }

    /// # Errors
    /// Before the first list is complete.
    fn get(&self, service_account: &ServiceAccountRef) -> Result<FoundAssociation, LookupError> {
        let lists = lock(&self.0);
        let current = lists.current.as_ref().ok_or(LookupError::Unsynced)?;
        let packed = current.get(Association::object_name(service_account).as_str());
        Ok(packed.and_then(|packed| packed.unpack(service_account)))
    }
}

/// Associations from the cache, with live reads of those that it does not have.
pub(crate) struct AssociationLookup<L> {
    reads: Arc<Reads<L>>,
    fetches: Singleflight<ServiceAccountRef, Result<FoundAssociation, LookupError>>,
}

struct Reads<L> {
    cache: AssociationCache,
    live: L,
    metrics: Metrics,
    budget: Mutex<ReadBudget>,
    existing: NamespaceCache,
}

impl<L: LiveAssociations> AssociationLookup<L> {
    /// `existing` are the namespaces with a budget of their own.
    pub(crate) fn new(
        cache: AssociationCache,
        existing: NamespaceCache,
        live: L,
        metrics: Metrics,
    ) -> Self {
        let budget = Mutex::new(ReadBudget::new(ASSOCIATIONS, Instant::now()));
        let reads = Arc::new(Reads { cache, live, metrics, budget, existing });
        Self { reads, fetches: Singleflight::default() }
    }

    /// A ServiceAccount's association. `confirm` says whether its absence decides, and is confirmed
    /// by a live read then: deployment tools create both, and the pod, within the same second.
    pub(crate) async fn find(
        &self,
        service_account: &ServiceAccountRef,
        confirm: bool,
        patience: Duration,
    ) -> Result<FoundAssociation, LookupError> {
        let cache = &self.reads.cache;
        let known = cache.get(service_account)?;
        if known.is_some() || !confirm {
            return Ok(known);
        }
        if let Some(answer) = cache.live(service_account) {
            return Ok(answer);
        }
        let mut in_flight = self.fetches.join(service_account, || {
            let (reads, name) = (Arc::clone(&self.reads), service_account.clone());
            // A caller with little time left must not fail those that join its read.
            let patience = patience.max(DEFAULT_PATIENCE);
            async move { reads.read(&name, patience).await }
        });
        let read = timeout(patience, in_flight.wait_for(Option::is_some)).await;
        // What the watch has reported meanwhile is at least as new as a read that found none.
        if let Some(watched) = cache.get(service_account)? {
            return Ok(Some(watched));
        }
        match read {
            Err(_) => Err(LookupError::AssociationTooSlow),
            Ok(read) => {
                read.ok().and_then(|it| it.clone()).unwrap_or(Err(LookupError::Association))
            }
        }
    }
}

impl<L: LiveAssociations> Reads<L> {
    /// Reads it within `patience`: without an end, one read that hangs would fail all later callers
    /// for the same ServiceAccount.
    async fn read(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<FoundAssociation, LookupError> {
        let namespace = service_account.namespace();
        let exists = self.existing.contains(namespace);
        if !lock(&self.budget).take(namespace, exists, Instant::now()) {
            // Beyond the budget the watch is final; the metric counts these.
            self.metrics.live_read(LiveRead::RateLimited);
            return Ok(None);
        }
        let found = timeout(patience, self.live.association(service_account)).await;
        let found = found.unwrap_or(Err(LookupError::AssociationTooSlow));
        self.metrics.live_read(match &found {
            Ok(Some(_)) => LiveRead::Found,
            Ok(None) => LiveRead::Missing,
            Err(_) => LiveRead::Failed,
        });
        if let Ok(found) = &found {
            self.cache.record_live(service_account, found.clone());
        }
        found
    }
}

#[cfg(test)]
mod tests;
