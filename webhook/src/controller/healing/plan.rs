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
/// Evictions that are asked for within [`MINUTE`], those included that budgets refuse.
const ASKED_PER_MINUTE: usize = 30;
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
    /// What creates it again.
    pub(super) owner: Owner,
}

/// The object that creates a pod again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) uid: String,
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
    /// Refused evictions.
    refusals: VecDeque<Instant>,
    /// The last eviction in each namespace.
    last: HashMap<String, Instant>,
}

impl Plan {
    pub(super) fn new(wait: Duration) -> Self {
        Self {
            wait,
            workloads: HashMap::new(),
            evictions: VecDeque::new(),
            refusals: VecDeque::new(),
            last: HashMap::new(),
        }
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
        let evicted = in_a_minute(&mut self.evictions, now);
        let asked = evicted + in_a_minute(&mut self.refusals, now);
        if evicted >= PER_MINUTE || asked >= ASKED_PER_MINUTE {
            return Step::Nothing;
        }
        // Unready pods first: to evict one costs nothing. A ready one is only spared if all are ready, those of a rollout
        // included.
        let all_ready = pods.iter().all(|pod| pod.ready);
        let due = pods.iter().filter(|pod| pod.missed && pod.evictable);
        let due = due.filter(|pod| all_ready || !pod.ready);
        due.min_by_key(|pod| pod.ready).map_or(Step::Nothing, |pod| Step::Evict(pod.clone()))
    }

    /// A pod was evicted while the workload had these.
    pub(super) fn evicted(&mut self, key: &WorkloadKey, pods: &[SeenPod], now: Instant) {
        self.evictions.push_back(now);
        self.last.insert(key.1.clone(), now);
        let before = pods.iter().map(|pod| pod.uid.clone()).collect();
        let replacing = Replacing { since: now, before, ready: None };
        self.workloads.insert(key.clone(), Progress::Replacing(replacing));
    }

    /// The order in which workloads are looked at: one of each namespace in turn, first of those without an eviction, then by
    /// the time of the last one, so that a namespace with a thousand missed pods does not delay the others. Workloads that
    /// are waited for take no turn.
    pub(super) fn in_turn(
        &self,
        keys: impl IntoIterator<Item = WorkloadKey>,
        now: Instant,
    ) -> Vec<WorkloadKey> {
        let mut of_namespace = HashMap::<String, usize>::new();
        let mut sorted: Vec<_> = keys.into_iter().collect();
        sorted.sort_unstable();
        let turn = |key: WorkloadKey| {
            let turn = of_namespace.entry(key.1.clone()).or_default();
            *turn += usize::from(!self.is_waited_for(&key, now));
            ((*turn, self.last.get(&key.1).copied(), key.1.clone()), key)
        };
        let mut turns: Vec<_> = sorted.into_iter().map(turn).collect();
        turns.sort_unstable();
        turns.into_iter().map(|(_, key)| key).collect()
    }

    fn is_waited_for(&self, key: &WorkloadKey, now: Instant) -> bool {
        match self.workloads.get(key) {
            None => false,
            Some(Progress::Replacing(_)) => true,
            Some(Progress::Waiting { until, .. } | Progress::Stopped { until }) => *until > now,
        }
    }

    /// An eviction was refused. Returns whether it is the first refusal in a row.
    pub(super) fn refused(&mut self, key: &WorkloadKey, now: Instant) -> bool {
        self.refusals.push_back(now);
        let before = match self.workloads.get(key) {
            Some(Progress::Waiting { wait, .. }) => Some(*wait),
            _ => None,
        };
        let wait = before.map_or(RETRY, |wait| (wait * 2).min(MAX_RETRY));
        self.workloads.insert(key.clone(), Progress::Waiting { until: now + wait, wait });
        before.is_none()
    }

    /// Forgets what has ended, and workloads that were not seen again in time. A survey that failed, or a moment without pods,
    /// is no end: what would be evicted next would not be waited for.
    pub(super) fn forget_old(&mut self, now: Instant) {
        let patience = self.wait * PATIENCE + MAX_RETRY;
        self.workloads.retain(|_, progress| match progress {
            Progress::Stopped { until } => *until > now,
            Progress::Waiting { until, .. } => now.duration_since(*until) < MAX_RETRY,
            Progress::Replacing(replacing) => now.duration_since(replacing.since) < patience,
        });
        self.last.retain(|_, at| now.duration_since(*at) < MAX_RETRY);
    }

    /// Whether there may be something to do for a workload.
    pub(super) fn concerns(&self, key: &WorkloadKey, pods: &[SeenPod]) -> bool {
        let is_replacing = matches!(self.workloads.get(key), Some(Progress::Replacing(_)));
        is_replacing || pods.iter().any(|pod| pod.missed)
    }

    /// How many workloads are left alone.
    pub(super) fn stopped(&self, now: Instant) -> usize {
        let stopped = |it: &&Progress| matches!(it, Progress::Stopped { until } if *until > now);
        self.workloads.values().filter(stopped).count()
    }
}

/// How many of these times are within the last minute. Older ones are removed.
fn in_a_minute(times: &mut VecDeque<Instant>, now: Instant) -> usize {
    while times.front().is_some_and(|at| now.duration_since(*at) >= MINUTE) {
        times.pop_front();
    }
    times.len()
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
