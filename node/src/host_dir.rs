//! `podrole-node setup --folder`: the host directory that one agent leaves to the next.
//!
//! The kubelet creates it for root. It is given to the agent alone: a process that can write to it
//! could replace the handover socket, and receive the sockets that pods' tokens are sent to.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

/// The user that the agent runs as: in the image, in the chart, and on the node as the owner of the directory.
/// It never changes: sockets are handed over only between processes of one user. Other images that give their user no
/// name of its own run as 65532, the `nonroot` of distroless images, and would share the directory with the agent; this
/// one is in no range that Linux distributions, systemd or images are known to assign from.
pub const USER: u32 = 60_923;

/// Creates the directory if it is missing, and gives it to `owner` alone.
///
/// # Errors
/// If another user owns it or could write to it, or it cannot be changed.
pub fn prepare(dir: &Path, owner: u32) -> Result<(), HostDirError> {
    let failed = |error: io::Error| HostDirError::Io { dir: dir.to_owned(), error };
    fs::create_dir_all(dir).map_err(failed)?;
    let found = fs::symlink_metadata(dir).map_err(failed)?;
    let access = Access { is_dir: found.is_dir(), owner: found.uid(), mode: found.mode() };
    match access.action(owner, rustix::process::geteuid().as_raw()) {
        DirAction::Keep => Ok(()),
        DirAction::Refuse(reason) => Err(HostDirError::Unsafe { dir: dir.to_owned(), reason }),
        // The mode first: after the change of owner this process may no longer set it.
        DirAction::Give => fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
            .and_then(|()| chown(dir, Some(owner), Some(owner)))
            .map_err(failed),
    }
}

/// Why the directory cannot be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostDirError {
    /// It cannot be created or changed.
    #[error("--folder {}: {error}{}", dir.display(), needed_capability(error))]
    Io {
        /// The directory.
        dir: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// It is not the agent's alone.
    #[error("--folder {}: {reason}; remove it from the node", dir.display())]
    Unsafe {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

fn needed_capability(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; run setup as root with the capability CHOWN",
        _ => "",
    }
}

/// Who can access what exists at the path.
struct Access {
    is_dir: bool,
    owner: u32,
    mode: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum DirAction {
    Keep,
    Give,
    Refuse(&'static str),
}

impl Access {
    fn action(&self, owner: u32, current_user: u32) -> DirAction {
        if !self.is_dir {
            // A symlink could lead to any directory of the host.
            return DirAction::Refuse("it is not a directory");
        }
        match self.owner {
            it if it == owner && self.mode & 0o022 == 0 => DirAction::Keep,
            it if it == current_user => DirAction::Give,
            it if it == owner => DirAction::Refuse("other users can write to it"),
            _ => DirAction::Refuse("another user owns it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_the_agent_is_kept_one_of_root_is_given_and_any_other_is_refused() {
        let action = |owner, mode| Access { is_dir: true, owner, mode }.action(USER, 0);
        assert_eq!(action(USER, 0o40700), DirAction::Keep);
        assert_eq!(action(0, 0o40755), DirAction::Give);
        assert_eq!(action(USER, 0o40770), DirAction::Refuse("other users can write to it"));
        assert_eq!(action(USER, 0o40702), DirAction::Refuse("other users can write to it"));
        assert_eq!(action(1000, 0o40700), DirAction::Refuse("another user owns it"));
        let link = Access { is_dir: false, owner: USER, mode: 0o777 };
        assert_eq!(link.action(USER, 0), DirAction::Refuse("it is not a directory"));
    }

    #[test]
    fn the_directory_is_created_and_closed_to_other_users() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/podrole");
        let ours = rustix::process::geteuid().as_raw();
        fs::create_dir_all(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        prepare(&dir, ours).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        prepare(&dir, ours).unwrap();

        let linked = parent.path().join("link");
        std::os::unix::fs::symlink(&dir, &linked).unwrap();
        assert!(
            prepare(&linked, ours).unwrap_err().to_string().contains("not a directory; remove it")
        );
    }
}
