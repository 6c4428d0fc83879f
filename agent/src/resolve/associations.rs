//! The association list: a file that is read again and again, and the last good one stays.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash as _, Hasher as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Release},
        },
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use podrole_identity::{AssociationList, ServiceAccountRef};
use podrole_runtime::health::Gate;
use tokio::time::sleep;

use super::ResolveError;

/// A ConfigMap's files change under their names, so the content is looked at, not the file's time.
const BETWEEN_READS: Duration = Duration::from_secs(2);
/// No list is larger: it would not fit into a ConfigMap five times over.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// What stands for ServiceAccounts besides their annotations. Clones are the same list.
#[derive(Clone)]
pub struct Associations(Arc<Inner>);

#[derive(Default)]
struct Inner {
    list: ArcSwapOption<AssociationList>,
    changes: AtomicU64,
}

impl Default for Associations {
    /// An empty list: annotations alone count.
    fn default() -> Self {
        Self::of(AssociationList::default())
    }
}

impl Associations {
    /// A list that is there.
    #[must_use]
    pub fn of(list: AssociationList) -> Self {
        let inner = Inner { list: ArcSwapOption::from_pointee(list), ..Inner::default() };
        Self(Arc::new(inner))
    }

    /// Follows the list in a file; `read` opens with the first good one.
    #[must_use]
    pub fn follow(path: PathBuf, read: Gate) -> Self {
        let associations = Self(Arc::default());
        tokio::spawn(associations.clone().keep_reading(path, read));
        associations
    }

    /// Puts another list in place.
    pub fn set(&self, list: AssociationList) {
        self.0.list.store(Some(Arc::new(list)));
        self.0.changes.fetch_add(1, Release);
    }

    /// How often another list was put in place.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.0.changes.load(Acquire)
    }

    /// The list as it stands.
    ///
    /// # Errors
    /// When none could be read yet: then nobody can say what a ServiceAccount may become.
    pub fn current(&self) -> Result<Arc<AssociationList>, ResolveError> {
        self.0.list.load_full().ok_or(ResolveError::NoList)
    }

    async fn keep_reading(self, path: PathBuf, read: Gate) {
        let mut seen = None;
        loop {
            let content = read_file(&path).await;
            let now = Some(hash(&content));
            if now != std::mem::replace(&mut seen, now) {
                self.take(&path, content, &read);
            }
            sleep(BETWEEN_READS).await;
        }
    }

    fn take(&self, path: &Path, content: Result<String, String>, read: &Gate) {
        let list = content
            .and_then(|text| AssociationList::read(&text).map_err(|error| error.to_string()));
        match list {
            Ok(list) => {
                tracing::info!(file = %path.display(), entries = list.len(), "associations read");
                self.set(list);
                read.open();
            }
            Err(error) => {
                let file = path.display();
                tracing::error!(%file, error, "the association list cannot be used; the last good one stays");
            }
        }
    }
}

async fn read_file(path: &Path) -> Result<String, String> {
    let size = tokio::fs::metadata(path).await.map_err(|error| error.to_string())?.len();
    if size > MAX_BYTES {
        return Err("it is larger than 8 MiB".to_owned());
    }
    tokio::fs::read_to_string(path).await.map_err(|error| error.to_string())
}

fn hash(content: &Result<String, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// Which state of what is known of a ServiceAccount this is; faults are remembered for one alone.
#[must_use]
pub(crate) fn version(list: &AssociationList, account: &ServiceAccountRef, version: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    list.find(account).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use podrole_runtime::health::Health;

    fn list(role: &str) -> String {
        format!(
            r#"{{"identities":[{{"namespace":"shop","serviceAccount":"app","roleArn":"arn:aws:iam::111122223333:role/{role}"}}]}}"#
        )
    }

    fn role(associations: &Associations) -> Option<String> {
        let list = associations.current().ok()?;
        let found = list.find(&"shop/app".parse().unwrap())?;
        Some(found.role.as_ref()?.name().to_owned())
    }

    /// Time is paused, so the reads come as fast as the file can be read.
    async fn until(associations: &Associations, wanted: Option<&str>) {
        for _ in 0..1000 {
            if role(associations).as_deref() == wanted {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("{:?} is not {wanted:?}", role(associations));
    }

    #[tokio::test(start_paused = true)]
    async fn the_file_is_followed_and_the_last_good_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("associations.json");
        let health = Health::default();
        let associations = Associations::follow(path.clone(), health.gate("the associations"));
        assert!(matches!(associations.current(), Err(ResolveError::NoList)));
        assert!(!health.pending().is_empty());
        std::fs::write(&path, list("one")).unwrap();
        until(&associations, Some("one")).await;
        assert!(health.pending().is_empty());
        std::fs::write(&path, list("two")).unwrap();
        until(&associations, Some("two")).await;
        for bad in
            ["{", r#"{"identities":[{"namespace":"shop","serviceAccount":"app","roleArn":"x"}]}"#]
        {
            std::fs::write(&path, bad).unwrap();
            sleep(BETWEEN_READS * 3).await;
            assert_eq!(role(&associations).as_deref(), Some("two"));
        }
        std::fs::remove_file(&path).unwrap();
        sleep(BETWEEN_READS * 3).await;
        assert_eq!(role(&associations).as_deref(), Some("two"));
        std::fs::write(&path, r#"{"identities":[]}"#).unwrap();
        until(&associations, None).await;
    }
}
