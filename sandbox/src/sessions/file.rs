//! `--session-key FILE`.

use std::{io::ErrorKind, io::Write as _, path::Path};

use super::{SessionKey, SessionKeyError};

impl SessionKey {
    /// The key in a file, which is made if it is missing, for its owner only.
    ///
    /// # Errors
    /// If the file cannot be read or made, or has no key.
    pub fn from_file(file: &Path) -> Result<Self, SessionKeyError> {
        match std::fs::read_to_string(file) {
            Ok(text) => Self::read(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => Self::create(file),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(SessionKeyError::Format),
            Err(error) => Err(error.into()),
        }
    }

    fn create(file: &Path) -> Result<Self, SessionKeyError> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        // Temporary files have mode 0600 on Unix.
        let mut new = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        writeln!(new, "{}", Self::generate()?)?;
        new.as_file().sync_all()?;
        match new.persist_noclobber(file) {
            Ok(_) => {}
            // Another sandbox that starts at the same time was faster: its key is the one.
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.error.into()),
        }
        Self::read(&std::fs::read_to_string(file)?)
    }
}
