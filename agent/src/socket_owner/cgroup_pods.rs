//! Remembers which cgroup is which pod's, and reads the cgroups again when one is not known.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Mutex as AsyncMutex,
    task::spawn_blocking,
    time::{Instant, sleep_until, timeout},
};

use super::cgroup_tree::{self, PodCgroups};

/// How long a request waits for the cgroups. It takes milliseconds to read those of 250 pods.
const PATIENCE: Duration = Duration::from_millis(400);
/// At most this often are the cgroups read.
const BETWEEN_READS: Duration = Duration::from_millis(200);
/// How many cgroups are remembered that are no pod's.
const MAX_OTHERS: usize = 4096;

/// The pods of cgroups, by the cgroups' numbers. The kernel gives no number twice, and no cgroup moves.
pub(super) struct CgroupPods {
    root: PathBuf,
    known: Mutex<Known>,
    /// Locked while the cgroups are read. When that last began.
    read: AsyncMutex<Option<Instant>>,
}

#[derive(Default)]
struct Known {
    pods: PodCgroups,
    /// Cgroups that exist and are no pod's.
    others: HashSet<u64>,
    /// Cgroups that the next reading decides on.
    wanted: HashSet<u64>,
}

impl CgroupPods {
    /// Those below `root`.
    pub(super) fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), known: Mutex::default(), read: AsyncMutex::default() }
    }

    /// The UID of the pod that this cgroup belongs to, or `None` if it is no pod's, or that is not
    /// known in time.
    pub(super) async fn find(self: &Arc<Self>, cgroup: u64) -> Option<String> {
        if let Some(known) = self.lock().find(cgroup) {
            return known;
        }
        self.lock().wanted.insert(cgroup);
        // In a task of its own, so that a request that hangs up does not end it for the next ones.
        let reading = tokio::spawn(Arc::clone(self).read_until_known(cgroup));
        let _ = timeout(PATIENCE, reading).await;
        self.lock().find(cgroup).flatten()
    }

    async fn read_until_known(self: Arc<Self>, cgroup: u64) {
        let mut last = self.read.lock().await;
        if self.lock().find(cgroup).is_some() {
            return;
        }
        if let Some(last) = *last {
            sleep_until(last + BETWEEN_READS).await;
        }
        *last = Some(Instant::now());
        let (root, wanted) = (self.root.clone(), std::mem::take(&mut self.lock().wanted));
        if let Ok(Some(pods)) = spawn_blocking(move || cgroup_tree::read(&root)).await {
            self.lock().update(pods, wanted);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The pod's UID, `Some(None)` for a cgroup that is no pod's, or `None` if it must be read.
    fn find(&self, cgroup: u64) -> Option<Option<String>> {
        match self.pods.get(&cgroup) {
            Some(uid) => Some(Some(uid.to_string())),
            None => self.others.contains(&cgroup).then_some(None),
        }
    }

    /// Applies what was read. All of `wanted` existed before.
    fn update(&mut self, pods: PodCgroups, wanted: HashSet<u64>) {
        self.pods = pods;
        if self.others.len() + wanted.len() > MAX_OTHERS {
            self.others.clear();
        }
        self.others.extend(wanted.into_iter().filter(|it| !self.pods.contains_key(it)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::MetadataExt as _};

    fn make(root: &Path, path: &str) -> u64 {
        let dir = root.join(path);
        fs::create_dir_all(&dir).unwrap();
        fs::metadata(dir).unwrap().ino()
    }

    #[tokio::test]
    async fn a_new_pods_cgroup_is_found_and_one_that_is_no_pods_is_read_once() {
        let root = tempfile::tempdir().unwrap();
        let pods = Arc::new(CgroupPods::below(root.path()));
        let (first, host) = (make(root.path(), "kubepods/poda"), make(root.path(), "system.slice"));
        assert_eq!(pods.find(first).await.as_deref(), Some("a"));
        let later = make(root.path(), "kubepods/podb/1");
        assert_eq!(pods.find(later).await.as_deref(), Some("b"));
        assert_eq!(pods.find(host).await, None);
        let last = *pods.read.lock().await;
        for _ in 0..3 {
            assert_eq!(pods.find(host).await, None);
            assert_eq!(pods.find(first).await.as_deref(), Some("a"));
        }
        assert_eq!(*pods.read.lock().await, last, "nothing more was read");
    }

    #[tokio::test]
    async fn many_questions_at_once_lead_to_few_readings() {
        let root = tempfile::tempdir().unwrap();
        let pods = Arc::new(CgroupPods::below(root.path()));
        let cgroups: Vec<u64> =
            (0..100).map(|pod| make(root.path(), &format!("kubepods/pod{pod}"))).collect();
        let begun = Instant::now();
        let found = cgroups.iter().map(|cgroup| pods.find(*cgroup));
        let found = futures::future::join_all(found).await;
        assert_eq!(found.iter().flatten().count(), 100);
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    }
}
