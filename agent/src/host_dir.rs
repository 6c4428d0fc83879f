//! `podrole-agent setup --folder`: the folder on the node that one agent leaves to the next.
//!
//! The kubelet makes it, for root. It becomes the agent's alone: who may write in it could take the
//! hand-over's place, and be given the sockets that pods' tokens come to.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
};

/// Makes the folder if it is missing, and `owner`'s alone.
///
/// # Errors
/// When it is somebody else's already or cannot be changed; the text names the mend.
pub fn prepare(folder: &Path, owner: u32) -> Result<(), String> {
    let failed = |error: std::io::Error| {
        let needs = match error.kind() {
            ErrorKind::PermissionDenied => "; it takes root with the capability CHOWN",
            _ => "",
        };
        format!("--folder {}: {error}{needs}", folder.display())
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let found = fs::symlink_metadata(folder).map_err(failed)?;
    let whose = Whose { folder: found.is_dir(), owner: found.uid(), mode: found.mode() };
    match whose.step(owner, rustix::process::geteuid().as_raw()) {
        Step::Nothing => Ok(()),
        Step::Refuse(why) => {
            Err(format!("--folder {}: {why}; remove it from the node", folder.display()))
        }
        // The mode first: afterwards it is no longer ours to change.
        Step::Give => fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
            .and_then(|()| chown(folder, Some(owner), Some(owner)))
            .map_err(failed),
    }
}

/// What is there.
struct Whose {
    folder: bool,
    owner: u32,
    mode: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    Give,
    Refuse(&'static str),
}

impl Whose {
    fn step(&self, owner: u32, ours: u32) -> Step {
        if !self.folder {
            return Step::Refuse("it is no folder");
        }
        match self.owner {
            there if there == owner && self.mode & 0o022 == 0 => Step::Nothing,
            there if there == ours => Step::Give,
            there if there == owner => Step::Refuse("others may write in it"),
            _ => Step::Refuse("it is somebody else's"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_own_stays_and_ours_is_given_and_all_else_is_refused() {
        let step = |owner, mode| Whose { folder: true, owner, mode }.step(65_532, 0);
        assert_eq!(step(65_532, 0o40700), Step::Nothing);
        assert_eq!(step(0, 0o40755), Step::Give);
        assert_eq!(step(65_532, 0o40770), Step::Refuse("others may write in it"));
        assert_eq!(step(65_532, 0o40702), Step::Refuse("others may write in it"));
        assert_eq!(step(1000, 0o40700), Step::Refuse("it is somebody else's"));
        let link = Whose { folder: false, owner: 65_532, mode: 0o777 };
        assert_eq!(link.step(65_532, 0), Step::Refuse("it is no folder"));
    }

    #[test]
    fn a_folder_is_made_and_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("a/podrole");
        let ours = rustix::process::geteuid().as_raw();
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        prepare(&folder, ours).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        prepare(&folder, ours).unwrap();

        let linked = parent.path().join("link");
        std::os::unix::fs::symlink(&folder, &linked).unwrap();
        assert!(prepare(&linked, ours).unwrap_err().contains("no folder; remove it"));
    }
}
