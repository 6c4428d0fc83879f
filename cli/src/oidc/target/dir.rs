//! A folder that a web server serves.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::super::documents::Document;

/// A folder as a target. It is made if it is not there.
pub(crate) struct DirTarget(PathBuf);

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("could not {verb} {}: {error}", path.display())]
pub(crate) struct DirError {
    verb: &'static str,
    path: PathBuf,
    error: io::Error,
}

impl DirTarget {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn read(&self, path: &str) -> Result<Option<Document>, DirError> {
        let path = self.0.join(path);
        match fs::read(&path) {
            Ok(body) => Ok(Some(Document { body, is_json: None })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DirError { verb: "read", path, error }),
        }
    }

    /// Writes a file beside the former one and renames it, so that a reader sees one of them whole.
    pub(super) fn write(&self, path: &str, text: &str) -> Result<(), DirError> {
        let path = self.0.join(path);
        replace(&path, text.as_bytes()).map_err(|error| DirError { verb: "write", path, error })
    }
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut beside = tempfile::Builder::new()
        // The web server's user must be able to read it.
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    beside.write_all(content)?;
    beside.as_file().sync_all()?;
    beside.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_readable_by_a_web_server() {
        let folder = tempfile::tempdir().unwrap();
        let target = DirTarget::new(&folder.path().join("out"));
        assert!(target.read("a/b").unwrap().is_none());
        for text in ["one", "two"] {
            target.write("a/b", text).unwrap();
            assert_eq!(target.read("a/b").unwrap().unwrap().body, text.as_bytes());
        }
        let inside = folder.path().join("out/a");
        let mode = fs::metadata(inside.join("b")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(fs::read_dir(inside).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_failed_write_names_the_file_and_leaves_the_former_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "former").unwrap();
        let target = DirTarget::new(folder.path());
        // A file is where a folder must be. A test as root may write everywhere else.
        let error = target.write("a/b", "text").unwrap_err().to_string();
        assert!(error.starts_with("could not write ") && error.contains("/a/b: "), "{error}");
        assert_eq!(fs::read(folder.path().join("a")).unwrap(), b"former");
    }
}
