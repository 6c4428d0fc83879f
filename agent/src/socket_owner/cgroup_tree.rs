//! Reads the cgroups of a node's pods.

use std::{
    collections::HashMap, fs, io::ErrorKind, os::unix::fs::DirEntryExt as _, path::Path, sync::Arc,
};

use super::cgroup_path::Place;

/// The cgroups of pods by their number, which is their directory's inode.
pub(super) type PodCgroups = HashMap<u64, Arc<str>>;

/// The most directories that are read at once. A node of 250 pods has some 2,000.
const MAX_DIRECTORIES: usize = 32_768;

/// All cgroups of pods below `root`, or `None` if not all could be read: a part of them would make others look like
/// those of no pod. A directory that is no longer there is passed over: its pod has ended.
pub(super) fn read(root: &Path) -> Option<PodCgroups> {
    let mut found = PodCgroups::new();
    let mut open = vec![(root.to_owned(), Place::Root)];
    let mut left = MAX_DIRECTORIES;
    while let Some((dir, place)) = open.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries.flatten(),
            Err(error) if error.kind() == ErrorKind::NotFound && place != Place::Root => continue,
            Err(error) => {
                tracing::warn!(%error, "could not read the cgroups of this node's pods; retrying");
                return None;
            }
        };
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir())) {
            let child = entry.file_name().to_str().and_then(|name| place.child(name));
            let Some(child) = child else { continue };
            if left == 0 {
                tracing::warn!(
                    "could not read all cgroups of this node's pods; there are too many"
                );
                return None;
            }
            left -= 1;
            if let Place::Pod(uid) = &child {
                found.insert(entry.ino(), uid.as_str().into());
            }
            open.push((entry.path(), child));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn each_directory_of_a_pod_is_found_by_its_inode() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str| {
            let dir = root.path().join(path);
            fs::create_dir_all(&dir).unwrap();
            fs::metadata(dir).unwrap().ino()
        };
        let (container, other) = (make("kubepods/burstable/poda/12/deep"), make("kubepods/podb"));
        let (class, host) = (make("kubepods/besteffort"), make("system.slice/podc"));
        fs::write(root.path().join("kubepods/podfile"), "").unwrap();
        std::os::unix::fs::symlink("podb", root.path().join("kubepods/podlink")).unwrap();
        let found = read(root.path()).unwrap();
        assert_eq!(found.get(&container).map(|uid| &**uid), Some("a"));
        assert_eq!(found.get(&other).map(|uid| &**uid), Some("b"));
        assert!(!found.contains_key(&class) && !found.contains_key(&host));
        assert_eq!(found.len(), 4);
        assert!(read(&root.path().join("none")).is_none(), "it is not known that there is none");
    }
}
