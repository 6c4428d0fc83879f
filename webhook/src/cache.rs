//! The ServiceAccounts known to this replica: what the watch reported and what live reads found.
//!
//! Only ServiceAccounts with annotations that matter are kept whole. Of the others, nine in ten on
//! most clusters, eight bytes record that they exist. "No role" from the watch is never final,
//! because an annotation may be on its way: it is confirmed by a live read, whose answer is valid
//! for [`LIVE_ANSWER_LIFE`].

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex},
    time::Duration,
};

use podrole_identity::ServiceAccountRef;
use tokio::{sync::watch, time::Instant};

use crate::{ServiceAccount, mutex::lock};

/// How long a live read's answer is valid. It covers the time that a watch lags behind; a
/// ReplicaSet's pods within it share one read.
const LIVE_ANSWER_LIFE: Duration = Duration::from_secs(5);
/// How many answers of live reads are kept at a time if they say that a ServiceAccount does not
/// exist. Any number of names can be made up.
const MAX_MISSING: usize = 4096;

/// A ServiceAccount at one resourceVersion.
#[derive(Clone, Debug)]
pub(crate) struct VersionedServiceAccount {
    /// The resourceVersion; 0 if the object has none, which is older than any other.
    pub(crate) version: u64,
    pub(crate) found: Arc<ServiceAccount>,
}

/// What the cache knows of a ServiceAccount.
#[derive(Debug)]
pub(crate) enum CacheAnswer {
    /// The first list is not complete, so nothing is known of any ServiceAccount.
    Unsynced,
    /// Its annotations are known and need no live read; `None` if a live read has just found that
    /// it does not exist.
    Known(Option<Arc<ServiceAccount>>),
    /// It exists and names no role, as far as the watch has reported; its other annotations.
    NoRole(Arc<ServiceAccount>),
    /// The watch has not reported it.
    Unknown,
}

#[derive(Debug, Default)]
struct WatchedServiceAccounts {
    /// The labels that are kept of each.
    label_keys: BTreeSet<String>,
    /// Those with annotations that matter.
    annotated: HashMap<ServiceAccountRef, VersionedServiceAccount>,
    /// Hashes of the others. The hasher's key is random per process, so that a tenant cannot craft
    /// two names with the same hash.
    plain: HashSet<u64>,
}

#[derive(Debug)]
struct LiveAnswer {
    at: Instant,
    version: u64,
    found: Option<Arc<ServiceAccount>>,
}

/// The cache without its lock. Pure: the time is an argument.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    watched: Option<WatchedServiceAccounts>,
    /// A list that is being read; the previous one answers until it is complete.
    listing: Option<WatchedServiceAccounts>,
    live: HashMap<ServiceAccountRef, LiveAnswer>,
    key: RandomState,
}

/// The cache that the watch and the live reads fill. Clones are the same cache.
#[derive(Clone, Default)]
pub(crate) struct SharedCache {
    cache: Arc<Mutex<Cache>>,
    changed: Arc<watch::Sender<()>>,
    /// The labels that patterns select by.
    label_keys: Arc<watch::Sender<BTreeSet<String>>>,
}

impl SharedCache {
    /// Applies a change from the watch, and wakes the look-ups that wait for one.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Cache)) {
        change(&mut lock(&self.cache));
        self.changed.send_replace(());
    }

    /// Records what live reads found. Nothing is woken: each waiting look-up gets its own answer.
    pub(crate) fn record_live(
        &self,
        answers: impl IntoIterator<Item = (ServiceAccountRef, Option<VersionedServiceAccount>)>,
    ) {
        lock(&self.cache).record_live(answers, Instant::now());
    }

    /// Patterns select by these labels from now on. A look-up does not use what was listed without
    /// them.
    pub(crate) fn want_labels(&self, keys: BTreeSet<String>) {
        self.label_keys.send_if_modified(|wanted| {
            let changed = *wanted != keys;
            *wanted = keys;
            changed
        });
    }

    /// The labels that patterns select by.
    pub(crate) fn label_keys(&self) -> watch::Receiver<BTreeSet<String>> {
        self.label_keys.subscribe()
    }

    /// Resolves at each change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn get(&self, service_account: &ServiceAccountRef) -> CacheAnswer {
        let wanted = self.label_keys.borrow();
        lock(&self.cache).get(service_account, &wanted, Instant::now())
    }
}

impl Cache {
    /// `wanted` are the labels that decide.
    pub(crate) fn get(
        &self,
        service_account: &ServiceAccountRef,
        wanted: &BTreeSet<String>,
        now: Instant,
    ) -> CacheAnswer {
        let Some(watched) = &self.watched else {
            return CacheAnswer::Unsynced;
        };
        if let Some(answer) = self.live.get(service_account).filter(|it| it.is_fresh(now)) {
            return CacheAnswer::Known(answer.found.clone());
        }
        // They were listed without a label that decides now, so of none is it known whether it has the
        // label. All are read live until the next list is complete.
        if !wanted.is_subset(&watched.label_keys) {
            return CacheAnswer::Unknown;
        }
        let annotated = watched.annotated.get(service_account);
        match annotated.map(|found| Arc::clone(&found.found)) {
            Some(annotations) if annotations.names_role() => CacheAnswer::Known(Some(annotations)),
            Some(annotations) => CacheAnswer::NoRole(annotations),
            None if watched.plain.contains(&self.key.hash_one(service_account)) => {
                CacheAnswer::NoRole(Arc::default())
            }
            None => CacheAnswer::Unknown,
        }
    }

    /// How many watched ServiceAccounts have annotations that matter, and how many have none.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let sizes =
            |watched: &WatchedServiceAccounts| (watched.annotated.len(), watched.plain.len());
        self.watched.as_ref().map(sizes).unwrap_or_default()
    }

    /// A list begins.
    pub(crate) fn begin_list(&mut self, label_keys: BTreeSet<String>) {
        self.listing = Some(WatchedServiceAccounts { label_keys, ..Default::default() });
    }

    /// The list is complete and replaces the previous one.
    pub(crate) fn end_list(&mut self) {
        if let Some(listed) = self.listing.take() {
            self.watched = Some(listed);
        }
    }

    /// Adds a ServiceAccount to the list that is being read.
    pub(crate) fn list(
        &mut self,
        service_account: ServiceAccountRef,
        found: &VersionedServiceAccount,
    ) {
        let hash = self.key.hash_one(&service_account);
        self.listing.get_or_insert_default().put(service_account, hash, found);
    }

    /// The watch reports a new or changed ServiceAccount.
    pub(crate) fn apply(
        &mut self,
        service_account: ServiceAccountRef,
        found: &VersionedServiceAccount,
    ) {
        self.forget_older_answer(&service_account, found.version);
        let hash = self.key.hash_one(&service_account);
        self.watched.get_or_insert_default().put(service_account, hash, found);
    }

    /// The watch reports that a ServiceAccount was deleted.
    pub(crate) fn delete(&mut self, service_account: &ServiceAccountRef, version: u64) {
        self.forget_older_answer(service_account, version);
        let hash = self.key.hash_one(service_account);
        if let Some(watched) = &mut self.watched {
            watched.remove(service_account, hash);
        }
    }

    /// Records what live reads found; expired answers are dropped on the way.
    pub(crate) fn record_live(
        &mut self,
        answers: impl IntoIterator<Item = (ServiceAccountRef, Option<VersionedServiceAccount>)>,
        at: Instant,
    ) {
        self.live.retain(|_, answer| answer.is_fresh(at));
        for (service_account, found) in answers {
            let version = found.as_ref().map_or(0, |found| found.version);
            let has_room = found.is_some()
                || self.live.len() < MAX_MISSING
                || self.live.contains_key(&service_account);
            if has_room && !self.watched_is_newer(&service_account, version) {
                let found = found.map(|found| found.found);
                self.live.insert(service_account, LiveAnswer { at, version, found });
            }
        }
    }

    /// Whether the watch has overtaken a live read of `version`. An answer that the ServiceAccount
    /// does not exist has no version to compare, and is taken as newer.
    fn watched_is_newer(&self, service_account: &ServiceAccountRef, version: u64) -> bool {
        let watched = self.watched.as_ref();
        let found = watched.and_then(|watched| watched.annotated.get(service_account));
        version > 0 && found.is_some_and(|found| found.version > version)
    }

    /// Drops a live answer that the watch has caught up with. The watch may lag behind, so an
    /// event older than the live answer must not undo it.
    fn forget_older_answer(&mut self, service_account: &ServiceAccountRef, version: u64) {
        if self.live.get(service_account).is_some_and(|answer| answer.version <= version) {
            self.live.remove(service_account);
        }
    }
}

impl WatchedServiceAccounts {
    fn put(
        &mut self,
        service_account: ServiceAccountRef,
        hash: u64,
        found: &VersionedServiceAccount,
    ) {
        if found.found.is_empty() {
            self.annotated.remove(&service_account);
            self.plain.insert(hash);
        } else {
            self.plain.remove(&hash);
            self.annotated.insert(service_account, found.clone());
        }
    }

    fn remove(&mut self, service_account: &ServiceAccountRef, hash: u64) {
        self.annotated.remove(service_account);
        self.plain.remove(&hash);
    }
}

impl LiveAnswer {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < LIVE_ANSWER_LIFE
    }
}

#[cfg(test)]
mod tests;
