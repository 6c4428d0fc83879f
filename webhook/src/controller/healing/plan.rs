//! Which pod is evicted next. Pure: what was seen goes in, and the time is an argument.
//!
//! A workload loses one pod at a time, and the next one only after the replacement has got its credential provider and
//! has been ready for a while. A replacement that was missed again shows that evicting helps nothing, so the workload is
//! left alone for a day.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

/// Evictions in the cluster within [`MINUTE`].
const PER_MINUTE: usize = 5;
const MINUTE: Duration = Duration::from_mins(1);
/// How long a workload is left alone after a replacement that is no better.
const STOPPED: Duration = Duration::from_hours(24);
/// Before an eviction that a PodDisruptionBudget refused is tried again; twice as long each time.
const RETRY: Duration = Duration::from_mins(1);
const MAX_RETRY: Duration = Duration::from_hours(1);
/// A replacement may take so many times [`Plan::wait`] to become ready.
const PATIENCE: u32 = 5;

/// A pod of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenPod {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) ready: bool,
    pub(super) missed: bool,
    /// Whether it is old enough for `missed` to say something.
    pub(super) judged: bool,
    /// Whether nothing of its own forbids to evict it.
    pub(super) evictable: bool,
}

/// A workload by kind, namespace and name.
pub(super) type WorkloadKey = (&'static str, String, String);

/// What to do for a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Evict this pod, if it is not ready or all replicas are.
    Evict(SeenPod),
    /// Say that the workload is left alone.
    Stop(Stop),
}

/// Why a workload is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The pod that replaced the evicted one was missed too.
    MissedAgain(SeenPod),
    /// No replacement became ready in time.
    NotReady,
}

#[derive(Debug)]
enum Progress {
    Replacing(Replacing),
    /// The API server refused the eviction.
    Waiting {
        until: Instant,
        wait: Duration,
    },
    Stopped {
        until: Instant,
    },
}

#[derive(Debug)]
struct Replacing {
    since: Instant,
    /// The UIDs of the pods before the eviction.
    before: HashSet<String>,
    /// The replacement that is ready, and since when.
    ready: Option<(String, Instant)>,
}

/// The state of healing. Another replica that takes over begins with none.
pub(super) struct Plan {
    /// How long a replacement must be ready before the next eviction.
    wait: Duration,
    workloads: HashMap<WorkloadKey, Progress>,
    evictions: VecDeque<Instant>,
    /// The namespace of the last eviction.
    last: Option<String>,
}

impl Plan {
    pub(super) fn new(wait: Duration) -> Self {
        Self { wait, workloads: HashMap::new(), evictions: VecDeque::new(), last: None }
    }

    /// What to do for a workload with these pods.
    pub(super) fn step(&mut self, key: &WorkloadKey, pods: &[SeenPod], now: Instant) -> Step {
        match self.workloads.get_mut(key) {
            None => {}
            Some(Progress::Waiting { until, .. }) if *until > now => return Step::Nothing,
            // It stays known, so that the next refusal waits longer.
            Some(Progress::Waiting { .. }) => {}
            Some(Progress::Stopped { until }) if *until > now => return Step::Nothing,
            Some(Progress::Stopped { .. }) => drop(self.workloads.remove(key)),
            Some(Progress::Replacing(replacing)) => match replacing.look(pods, self.wait, now) {
                Outcome::Pending => return Step::Nothing,
                Outcome::Done => drop(self.workloads.remove(key)),
                Outcome::Failed(stop) => {
                    self.workloads.insert(key.clone(), Progress::Stopped { until: now + STOPPED });
                    return Step::Stop(stop);
                }
            },
        }
        if self.evictions_in_a_minute(now) >= PER_MINUTE {
            return Step::Nothing;
        }
        // Unready pods first: to evict one costs nothing.
        let due = pods.iter().filter(|pod| pod.missed && pod.evictable);
        due.min_by_key(|pod| pod.ready).map_or(Step::Nothing, |pod| Step::Evict(pod.clone()))
    }

    /// A pod was evicted while the workload had these.
    pub(super) fn evicted(&mut self, key: &WorkloadKey, pods: &[SeenPod], now: Instant) {
        self.evictions.push_back(now);
        self.last = Some(key.1.clone());
        let before = pods.iter().map(|pod| pod.uid.clone()).collect();
        let replacing = Replacing { since: now, before, ready: None };
        self.workloads.insert(key.clone(), Progress::Replacing(replacing));
    }

    /// The order in which workloads are looked at: one of each namespace in turn, beginning after the namespace of the last
    /// eviction, so that a namespace with a thousand missed pods does not delay the others.
    pub(super) fn in_turn(&self, keys: impl IntoIterator<Item = WorkloadKey>) -> Vec<WorkloadKey> {
        let mut of_namespace = HashMap::<String, usize>::new();
        let mut sorted: Vec<_> = keys.into_iter().collect();
        sorted.sort_unstable();
        let turn = |key: WorkloadKey| {
            let turn = of_namespace.entry(key.1.clone()).or_default();
            *turn += 1;
            let is_next = self.last.as_ref().is_none_or(|last| key.1 > *last);
            ((*turn, !is_next, key.1.clone()), key)
        };
        let mut turns: Vec<_> = sorted.into_iter().map(turn).collect();
        turns.sort_unstable();
        turns.into_iter().map(|(_, key)| key).collect()
    }

    /// An eviction was refused. Returns whether it is the first refusal in a row.
    pub(super) fn refused(&mut self, key: &WorkloadKey, now: Instant) -> bool {
        let before = match self.workloads.get(key) {
            Some(Progress::Waiting { wait, .. }) => Some(*wait),
            _ => None,
        };
        let wait = before.map_or(RETRY, |wait| (wait * 2).min(MAX_RETRY));
        self.workloads.insert(key.clone(), Progress::Waiting { until: now + wait, wait });
        before.is_none()
    }

    /// Forgets a workload without pods, unless it is left alone.
    pub(super) fn retain(&mut self, exists: impl Fn(&WorkloadKey) -> bool) {
        self.workloads
            .retain(|key, progress| matches!(progress, Progress::Stopped { .. }) || exists(key));
    }

    /// The workloads that are being healed, to be looked at although none of their pods is missed.
    pub(super) fn is_replacing(&self, key: &WorkloadKey) -> bool {
        matches!(self.workloads.get(key), Some(Progress::Replacing(_)))
    }

    /// How many workloads are left alone.
    pub(super) fn stopped(&self, now: Instant) -> usize {
        let stopped = |it: &&Progress| matches!(it, Progress::Stopped { until } if *until > now);
        self.workloads.values().filter(stopped).count()
    }

    fn evictions_in_a_minute(&mut self, now: Instant) -> usize {
        while self.evictions.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
            self.evictions.pop_front();
        }
        self.evictions.len()
    }
}

enum Outcome {
    Pending,
    Done,
    Failed(Stop),
}

impl Replacing {
    fn look(&mut self, pods: &[SeenPod], wait: Duration, now: Instant) -> Outcome {
        let new = || pods.iter().filter(|pod| !self.before.contains(&pod.uid));
        if let Some(again) = new().find(|pod| pod.missed) {
            return Outcome::Failed(Stop::MissedAgain(again.clone()));
        }
        let ready =
            new().find(|pod| pod.ready && pod.judged).or_else(|| new().find(|pod| pod.ready));
        let judged = ready.is_some_and(|pod| pod.judged);
        let ready = ready.map(|pod| pod.uid.clone());
        self.ready = ready.map(|uid| match &self.ready {
            Some((known, since)) if *known == uid => (uid, *since),
            _ => (uid, now),
        });
        match &self.ready {
            Some((_, since)) if judged && now.duration_since(*since) >= wait => Outcome::Done,
            None if now.duration_since(self.since) >= wait * PATIENCE => {
                // Scaled down meanwhile: nothing replaces the pod, and nothing is wrong.
                let scaled_down = new().next().is_none() && pods.iter().all(|pod| pod.ready);
                if scaled_down { Outcome::Done } else { Outcome::Failed(Stop::NotReady) }
            }
            _ => Outcome::Pending,
        }
    }
}

#[cfg(test)]
mod tests;
