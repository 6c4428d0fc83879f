//! What is known of ServiceAccounts. Pure: the time is an argument.
//!
//! Only those that say something are kept whole. Of the others, nine in ten on most clusters,
//! eight bytes say that they exist. "No role" out of the watch is never the last word, since an
//! annotation may be on its way: it is confirmed by a live read, whose answer is believed for 5 s.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex},
    time::Duration,
};

use podrole_identity::{ServiceAccountAnnotations, ServiceAccountRef};
use tokio::{sync::watch, time::Instant};

use crate::mutex::lock;

/// How long a live read's answer is believed.
const LIVE_ANSWER_LIFE: Duration = Duration::from_secs(5);

/// A ServiceAccount at one version.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Its resourceVersion; 0 where it has none, which any other is newer than.
    pub(crate) version: u64,
    /// What it says.
    pub(crate) said: Arc<ServiceAccountAnnotations>,
}

/// What the cache says of a ServiceAccount.
#[derive(Debug)]
pub(crate) enum Known {
    /// Nothing yet, of nobody.
    Unsynced,
    /// This; `None` where a live read has just not found it.
    Said(Option<Arc<ServiceAccountAnnotations>>),
    /// It exists and names no role, as far as the watch has told; what else it says.
    NoRole(Arc<ServiceAccountAnnotations>),
    /// The watch has not told of it.
    Never,
}

#[derive(Debug, Default)]
struct Watched {
    speaking: HashMap<ServiceAccountRef, Seen>,
    /// Hashes of the others under a key of this process, so that nobody can make two alike.
    silent: HashSet<u64>,
}

#[derive(Debug)]
struct LiveAnswer {
    at: Instant,
    version: u64,
    said: Option<Arc<ServiceAccountAnnotations>>,
}

/// The cache.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    watched: Option<Watched>,
    /// A list that is being read; the old one serves until it is whole.
    listing: Option<Watched>,
    live: HashMap<ServiceAccountRef, LiveAnswer>,
    key: RandomState,
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

    /// Takes live answers in.
    pub(crate) fn answered(
        &self,
        answers: impl IntoIterator<Item = (ServiceAccountRef, Option<Seen>)>,
    ) {
        lock(&self.cache).answered(answers, Instant::now());
    }

    /// Resolves at each change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub(crate) fn look(&self, account: &ServiceAccountRef) -> Known {
        lock(&self.cache).look(account, Instant::now())
    }
}

impl Cache {
    /// What is known.
    pub(crate) fn look(&self, account: &ServiceAccountRef, now: Instant) -> Known {
        let Some(watched) = &self.watched else {
            return Known::Unsynced;
        };
        if let Some(answer) = self.live.get(account).filter(|answer| answer.is_fresh(now)) {
            return Known::Said(answer.said.clone());
        }
        match watched.speaking.get(account).map(|seen| Arc::clone(&seen.said)) {
            Some(said) if said.names_role() => Known::Said(Some(said)),
            Some(said) => Known::NoRole(said),
            None if watched.silent.contains(&self.key.hash_one(account)) => {
                Known::NoRole(Arc::default())
            }
            None => Known::Never,
        }
    }

    /// How many the watch knows that say something, and that do not.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let sizes = |watched: &Watched| (watched.speaking.len(), watched.silent.len());
        self.watched.as_ref().map(sizes).unwrap_or_default()
    }

    /// A list begins.
    pub(crate) fn begin_list(&mut self) {
        self.listing = Some(Watched::default());
    }

    /// The list is whole and takes the old one's place.
    pub(crate) fn end_list(&mut self) {
        if let Some(listed) = self.listing.take() {
            self.watched = Some(listed);
        }
    }

    /// A ServiceAccount is in the list that is being read.
    pub(crate) fn list(&mut self, account: ServiceAccountRef, seen: &Seen) {
        let hash = self.key.hash_one(&account);
        self.listing.get_or_insert_default().put(account, hash, seen);
    }

    /// The watch tells of a ServiceAccount.
    pub(crate) fn apply(&mut self, account: ServiceAccountRef, seen: &Seen) {
        self.forget_older_answer(&account, seen.version);
        let hash = self.key.hash_one(&account);
        self.watched.get_or_insert_default().put(account, hash, seen);
    }

    /// The watch tells that a ServiceAccount is gone.
    pub(crate) fn delete(&mut self, account: &ServiceAccountRef, version: u64) {
        self.forget_older_answer(account, version);
        let hash = self.key.hash_one(account);
        if let Some(watched) = &mut self.watched {
            watched.remove(account, hash);
        }
    }

    /// Live reads were answered.
    pub(crate) fn answered(
        &mut self,
        answers: impl IntoIterator<Item = (ServiceAccountRef, Option<Seen>)>,
        at: Instant,
    ) {
        self.live.retain(|_, answer| answer.is_fresh(at));
        for (account, seen) in answers {
            let version = seen.as_ref().map_or(0, |seen| seen.version);
            if !self.watched_is_newer(&account, version) {
                let said = seen.map(|seen| seen.said);
                self.live.insert(account, LiveAnswer { at, version, said });
            }
        }
    }

    /// The watch may have been faster than the read. That it does not exist, which has no version,
    /// is believed all the same.
    fn watched_is_newer(&self, account: &ServiceAccountRef, version: u64) -> bool {
        let seen = self.watched.as_ref().and_then(|watched| watched.speaking.get(account));
        version > 0 && seen.is_some_and(|seen| seen.version > version)
    }

    /// The watch may be behind: what it tells replaces a live answer only if it is not older.
    fn forget_older_answer(&mut self, account: &ServiceAccountRef, version: u64) {
        if self.live.get(account).is_some_and(|answer| answer.version <= version) {
            self.live.remove(account);
        }
    }
}

impl Watched {
    fn put(&mut self, account: ServiceAccountRef, hash: u64, seen: &Seen) {
        if seen.said.is_silent() {
            self.speaking.remove(&account);
            self.silent.insert(hash);
        } else {
            self.silent.remove(&hash);
            self.speaking.insert(account, seen.clone());
        }
    }

    fn remove(&mut self, account: &ServiceAccountRef, hash: u64) {
        self.speaking.remove(account);
        self.silent.remove(&hash);
    }
}

impl LiveAnswer {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < LIVE_ANSWER_LIFE
    }
}

#[cfg(test)]
mod tests;
