//! Which step of a rotation is next. Pure.
//!
//! ```text
//!   1 the new public key at all API servers ─► 2 published for an hour ─► 3 it signs at all of them
//!     ─► 4 the last token of the old key has expired ─► 5 the old key at no API server ─► no longer published
//! ```

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::super::records::Records;

/// How long AWS may use a key set that it has read.
const CACHED: SignedDuration = SignedDuration::from_hours(1);
/// How long an injected token lives at most.
const TOKEN: SignedDuration = SignedDuration::from_hours(24);

/// What was read.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) servers: Vec<ServerEvidence>,
    /// The IDs of published keys.
    pub(crate) published: BTreeSet<String>,
    pub(crate) records: Records,
    /// When the current key signed at all API servers at the latest.
    pub(crate) switched: Option<Timestamp>,
    /// The key that is to sign next, if the user names it.
    pub(crate) next: Option<String>,
    pub(crate) keep: SignedDuration,
    pub(crate) now: Timestamp,
}

/// One API server.
#[derive(Clone, Debug)]
pub(crate) struct ServerEvidence {
    pub(crate) name: String,
    /// The keys that verify tokens.
    pub(crate) keys: BTreeSet<String>,
    /// The key that signs tokens.
    pub(crate) signs: String,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// One key signs, and no other is there.
    Idle { kid: String },
    /// The key that the user names is at no API server.
    NoSuchKey { kid: String },
    /// The public key must be added at these API servers.
    AddKey { kid: String, servers: Vec<String> },
    /// The keys must be published.
    Publish { kids: Vec<String> },
    /// AWS may not have read the published key yet.
    WaitForCaches { kid: String, until: Timestamp },
    /// These API servers must sign with the key.
    Switch { kid: String, servers: Vec<String> },
    /// It is not known since when the key signs.
    SwitchUnknown { kid: String },
    /// Tokens of the old keys may be in use.
    WaitForTokens { kids: Vec<String>, until: Timestamp },
    /// The old keys must be removed at these API servers.
    RemoveKeys { kids: Vec<String>, servers: Vec<String> },
    /// The old keys are still published.
    WaitForPublication { kids: Vec<String>, until: Timestamp },
    /// The old keys may go from the publication.
    Unpublish { kids: Vec<String> },
}

impl Stage {
    /// 0 if there is nothing to do, 10 while waiting, 11 if the user must do something, 3 if it is not known.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Idle { .. } => 0,
            Self::NoSuchKey { .. } => 1,
            Self::SwitchUnknown { .. } => 3,
            Self::WaitForCaches { .. }
            | Self::WaitForTokens { .. }
            | Self::WaitForPublication { .. } => 10,
            Self::AddKey { .. }
            | Self::Publish { .. }
            | Self::Switch { .. }
            | Self::RemoveKeys { .. }
            | Self::Unpublish { .. } => 11,
        }
    }
}

/// Finds the next step.
pub(crate) fn stage(evidence: &Evidence) -> Stage {
    let Evidence { servers, published, records, .. } = evidence;
    let all: BTreeSet<&String> = servers.iter().flat_map(|it| &it.keys).collect();
    let Some(target) = target(evidence, &all) else {
        let kid = evidence.next.clone().unwrap_or_default();
        return Stage::NoSuchKey { kid };
    };
    let names = |wanted: &dyn Fn(&ServerEvidence) -> bool| -> Vec<String> {
        servers.iter().filter(|it| wanted(it)).map(|it| it.name.clone()).collect()
    };
    // An API server rejects tokens of another one whose key it lacks.
    let must_be_everywhere = servers.iter().map(|it| &it.signs).chain([target]);
    for kid in must_be_everywhere {
        let lacking = names(&|it| !it.keys.contains(kid));
        if !lacking.is_empty() {
            return Stage::AddKey { kid: kid.clone(), servers: lacking };
        }
    }
    let unpublished: Vec<String> =
        all.iter().filter(|kid| !published.contains(**kid)).map(|kid| (*kid).clone()).collect();
    if !unpublished.is_empty() {
        return Stage::Publish { kids: unpublished };
    }
    let others = names(&|it| it.signs != *target);
    if !others.is_empty() {
        return switch(evidence, target, others);
    }
    let old: Vec<String> = all.into_iter().filter(|kid| *kid != target).cloned().collect();
    if !old.is_empty() {
        let servers = names(&|it| old.iter().any(|kid| it.keys.contains(kid)));
        return remove(evidence, target, old, servers);
    }
    let left: Vec<String> = published.iter().filter(|kid| *kid != target).cloned().collect();
    if left.is_empty() {
        return Stage::Idle { kid: target.clone() };
    }
    let ends = left.iter().map(|kid| {
        let missing = records.find(kid).and_then(|it| it.last_seen)?;
        missing.checked_add(evidence.keep).ok()
    });
    // A run of `publish` must note first that a key is missing.
    let ends: Option<Vec<Timestamp>> = ends.collect();
    match ends.and_then(|ends| ends.into_iter().max()) {
        Some(until) if evidence.now <= until => Stage::WaitForPublication { kids: left, until },
        _ => Stage::Unpublish { kids: left },
    }
}

/// The key that must sign in the end: the newest by its publication, if it is newer than what signs. `None` if the key
/// that the user names is at no API server.
fn target<'a>(evidence: &'a Evidence, all: &BTreeSet<&'a String>) -> Option<&'a String> {
    if let Some(next) = &evidence.next {
        return all.get(next).copied();
    }
    let age = |kid: &String| {
        evidence.records.find(kid).map_or(Timestamp::MAX, |record| record.first_seen)
    };
    let signing = evidence.servers.iter().map(|it| &it.signs).max_by_key(|kid| age(kid))?;
    let newest = all.iter().copied().max_by_key(|kid| age(kid));
    Some(newest.filter(|kid| age(kid) > age(signing)).unwrap_or(signing))
}

fn switch(evidence: &Evidence, target: &str, servers: Vec<String>) -> Stage {
    let kid = target.to_owned();
    // Published by hand: a run of `publish` makes the record.
    let Some(record) = evidence.records.find(target) else {
        return Stage::Publish { kids: vec![kid] };
    };
    match record.first_seen.checked_add(CACHED) {
        Ok(until) if evidence.now < until => Stage::WaitForCaches { kid, until },
        _ => Stage::Switch { kid, servers },
    }
}

fn remove(evidence: &Evidence, target: &str, old: Vec<String>, servers: Vec<String>) -> Stage {
    let until = evidence.switched.and_then(|it| it.checked_add(TOKEN + evidence.keep).ok());
    match until {
        None => Stage::SwitchUnknown { kid: target.to_owned() },
        Some(until) if evidence.now < until => Stage::WaitForTokens { kids: old, until },
        Some(_) => Stage::RemoveKeys { kids: old, servers },
    }
}

#[cfg(test)]
mod tests;
