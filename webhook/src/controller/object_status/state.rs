//! What the cluster's objects are, what their statuses should be, and which must be written. Pure.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
};

use jiff::Timestamp;
use podrole_identity::{
    Association, GrantRules, Guardrails, Kind, NamespaceFacts, Patterns, RawObject,
    ServiceAccountRef, Unreadable,
};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    conditions::{digest_of, status},
    queue::{ObjectKey, Queue},
    verdict::{self, Verdict, World},
};
use crate::associations::Packed;

/// How many objects are judged at a time.
const SLICE: usize = 500;

/// An object as the watch shows it.
pub(super) struct Seen {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) created: Option<Timestamp>,
    pub(super) generation: i64,
    pub(super) spec: Value,
    pub(super) status: Value,
}

/// A change in the cluster.
pub(super) enum Change {
    Object(Seen),
    ObjectGone(Kind, String),
    Namespace(String, NamespaceFacts),
    NamespaceGone(String),
    ServiceAccount(ServiceAccountRef),
    ServiceAccountGone(ServiceAccountRef),
}

/// An association. There may be 100,000: only what decides is kept.
struct Tracked {
    association: Packed,
    generation: i64,
    /// Of the status that the cluster has.
    digest: u64,
}

/// A pattern or guard-rail.
struct Selecting {
    created: Option<Timestamp>,
    generation: i64,
    spec: Value,
    digest: u64,
}

/// All that decides statuses.
pub(super) struct State {
    rules: GrantRules,
    associations: BTreeMap<Box<str>, Tracked>,
    selecting: BTreeMap<ObjectKey, Selecting>,
    patterns: Patterns,
    guardrails: Guardrails,
    namespaces: HashMap<String, Arc<NamespaceFacts>>,
    /// Hashes of the ServiceAccounts that exist; the key is random, so that none can be made up.
    service_accounts: HashSet<u64>,
    hasher: RandomState,
    due: Queue,
    /// Whether patterns or guard-rails must be read again.
    outdated: BTreeSet<Kind>,
    /// The name from which on all objects of a kind are judged again.
    recheck: BTreeMap<Kind, Box<str>>,
}

impl State {
    pub(super) fn new(rules: GrantRules) -> Self {
        Self {
            rules,
            associations: BTreeMap::new(),
            selecting: BTreeMap::new(),
            patterns: Patterns::default(),
            guardrails: Guardrails::default(),
            namespaces: HashMap::new(),
            service_accounts: HashSet::new(),
            hasher: RandomState::new(),
            due: Queue::default(),
            outdated: BTreeSet::new(),
            recheck: BTreeMap::new(),
        }
    }

    /// Applies a change, and finds the objects whose status it outdates.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Object(seen) => self.object(seen),
            Change::ObjectGone(Kind::Association, name) => {
                self.associations.remove(name.as_str());
            }
            Change::ObjectGone(kind, name) => {
                self.selecting.remove(&(kind, name.into()));
                self.outdated.insert(kind);
            }
            Change::Namespace(name, facts) => {
                let facts = Arc::new(facts);
                let before = self.namespaces.insert(name.clone(), Arc::clone(&facts));
                if before != Some(facts) {
                    self.check_namespace(&name);
                }
            }
            Change::NamespaceGone(name) => {
                self.namespaces.remove(&name);
                self.check_namespace(&name);
            }
            Change::ServiceAccount(name) => {
                if self.service_accounts.insert(self.hasher.hash_one(&name)) {
                    self.check(Kind::Association, Association::object_name(&name).into());
                }
            }
            Change::ServiceAccountGone(name) => {
                self.service_accounts.remove(&self.hasher.hash_one(&name));
                self.check(Kind::Association, Association::object_name(&name).into());
            }
        }
    }

    fn object(&mut self, seen: Seen) {
        let Seen { kind, name, created, generation, spec, status } = seen;
        let (name, digest): (Box<str>, u64) = (name.into(), digest_of(&status));
        if kind == Kind::Association {
            let association = Packed::new(Association::read_object(&name, &spec));
            self.associations.insert(name.clone(), Tracked { association, generation, digest });
            return self.check(kind, name);
        }
        let new = Selecting { created, generation, spec, digest };
        let before = self.selecting.insert((kind, name.clone()), new);
        // A new status changes nothing else.
        let after = &self.selecting[&(kind, name.clone())];
        let same = before.is_some_and(|it| it.spec == after.spec && it.created == after.created);
        if same {
            self.check(kind, name);
        } else {
            self.outdated.insert(kind);
        }
    }

    /// Does a part of what changes have left to do: a guard-rail concerns every association, and judging
    /// 100,000 takes seconds. Returns whether something is left.
    pub(super) fn step(&mut self) -> bool {
        if let Some(kind) = self.outdated.pop_first() {
            self.read_selecting(kind);
        } else if let Some((kind, first)) = self.recheck.pop_last() {
            // Associations come last: there are many more.
            let mut names = self.names_from(kind, first, SLICE + 1);
            if names.len() > SLICE {
                self.recheck.extend(names.pop().map(|next| (kind, next)));
            }
            names.into_iter().for_each(|name| self.check(kind, name));
        }
        !self.outdated.is_empty() || !self.recheck.is_empty()
    }

    /// The names of at most `most` objects of a kind, from `first` on.
    fn names_from(&self, kind: Kind, first: Box<str>, most: usize) -> Vec<Box<str>> {
        match kind {
            Kind::Association => {
                self.associations.range(first..).map(|(name, _)| name.clone()).take(most).collect()
            }
            Kind::Pattern | Kind::Guardrail => {
                let keys = self.selecting.range((kind, first)..).map(|(key, _)| key);
                let keys = keys.take_while(|key| key.0 == kind).take(most);
                keys.map(|key| key.1.clone()).collect()
            }
        }
    }

    /// Reads all patterns or guard-rails again. A guard-rail decides about every association, and each
    /// object of the kind about whether the others are within the limit.
    fn read_selecting(&mut self, kind: Kind) {
        let of_kind = self.selecting.iter().filter(|((it, _), _)| *it == kind);
        let raw = of_kind.map(|((_, name), object)| RawObject {
            name,
            created: object.created,
            spec: &object.spec,
        });
        match kind {
            Kind::Pattern => self.patterns = Patterns::read(raw),
            Kind::Guardrail | Kind::Association => self.guardrails = Guardrails::read(raw),
        }
        self.recheck.insert(kind, Box::default());
        if kind == Kind::Guardrail {
            self.recheck.insert(Kind::Association, Box::default());
        }
    }

    fn check_namespace(&mut self, namespace: &str) {
        let first: Box<str> = format!("{namespace}.").into();
        let names = self.associations.range(first.clone()..);
        let names = names.map(|(name, _)| name).take_while(|name| name.starts_with(&*first));
        let names: Vec<_> = names.cloned().collect();
        names.into_iter().for_each(|name| self.check(Kind::Association, name));
    }

    /// Notes that an object's status must be written, or no longer.
    fn check(&mut self, kind: Kind, name: Box<str>) {
        let key = (kind, name);
        let digest = match kind {
            Kind::Association => self.associations.get(&key.1).map(|it| it.digest),
            Kind::Pattern | Kind::Guardrail => self.selecting.get(&key).map(|it| it.digest),
        };
        let wanted = self.wanted(&key).map(|(verdict, generation)| {
            digest_of(&status(&verdict, generation, &Value::Null, Timestamp::UNIX_EPOCH))
        });
        if wanted.is_some() && wanted != digest {
            self.due.push(key);
        } else {
            self.due.remove(&key);
        }
    }

    /// What an object's status should say, and of which generation; `None` if the object is gone.
    pub(super) fn wanted(&self, key: &ObjectKey) -> Option<(Verdict, i64)> {
        let (kind, name) = key;
        let world = World { rules: &self.rules, guardrails: &self.guardrails };
        match kind {
            Kind::Association => {
                let tracked = self.associations.get(name)?;
                let service_account = Association::service_account_of(name);
                let found = match &service_account {
                    Some(service_account) => tracked.association.unpack(service_account)?,
                    None => Err(Unreadable {
                        kind: *kind,
                        name: name.to_string(),
                        error: "its name is not <namespace>.<serviceAccount>".to_owned(),
                    }),
                };
                let exists = service_account
                    .as_ref()
                    .is_some_and(|it| self.service_accounts.contains(&self.hasher.hash_one(it)));
                let namespace = service_account.as_ref().map(ServiceAccountRef::namespace);
                let namespace = namespace.and_then(|it| self.namespaces.get(it)).map(|it| &**it);
                let verdict = verdict::association(&found, namespace, exists, &world);
                Some((verdict, tracked.generation))
            }
            Kind::Pattern => {
                let Selecting { generation, spec, .. } = self.selecting.get(key)?;
                let verdict = verdict::pattern(name, spec, &self.patterns, &self.rules);
                Some((verdict, *generation))
            }
            Kind::Guardrail => {
                let generation = self.selecting.get(key)?.generation;
                Some((verdict::guardrail(name, &self.guardrails), generation))
            }
        }
    }

    /// The next object whose status must be written. It is due again if the write fails.
    pub(super) fn pop(&mut self, now: Instant) -> Option<ObjectKey> {
        self.due.pop(now)
    }

    /// How many statuses must be written.
    pub(super) fn due(&self) -> usize {
        self.due.len()
    }

    /// A write failed.
    pub(super) fn retry(&mut self, (kind, name): ObjectKey) {
        self.check(kind, name);
    }

    /// The object has this status now.
    pub(super) fn written(&mut self, key: &ObjectKey, status: &Value) {
        let digest = digest_of(status);
        match key.0 {
            Kind::Association => {
                if let Some(tracked) = self.associations.get_mut(&key.1) {
                    tracked.digest = digest;
                }
            }
            Kind::Pattern | Kind::Guardrail => {
                if let Some(selecting) = self.selecting.get_mut(key) {
                    selecting.digest = digest;
                }
            }
        }
        self.check(key.0, key.1.clone());
    }
}

#[cfg(test)]
mod tests;
