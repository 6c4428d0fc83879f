//! The newest keys on disk, so that an agent that starts while the API server is away can verify.
//!
//! The keys are public; what matters is that nobody else writes the file. It is replaced whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Key, Keys, Named};

/// No file of ours is larger, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file with keys, for issuers that are given, or for those that the API server names.
#[derive(Clone, Debug)]
pub struct KeysFile {
    path: PathBuf,
    issuers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Content {
    fetched: Timestamp,
    issuers: Vec<String>,
    #[serde(default)]
    named: Vec<Named>,
    keys: Vec<Published>,
}

#[derive(Serialize, Deserialize)]
struct Published {
    issuer: Option<String>,
    key: serde_json::Value,
}

impl KeysFile {
    /// The file at `path`, which need not be there yet.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path, issuers: Vec::new() }
    }

    /// The same, to write keys of these issuers to.
    #[must_use]
    pub fn of_issuers(self, issuers: Vec<String>) -> Self {
        Self { issuers, ..self }
    }

    /// The keys in it, if it is whole and for the same issuers.
    #[must_use]
    pub fn keys(&self) -> Option<Keys> {
        let content = self.read()?;
        if content.issuers != self.issuers {
            return None;
        }
        let read = |published: Published| Key::read(published.key, published.issuer.as_deref());
        let keys: Vec<Key> = content.keys.into_iter().filter_map(read).collect();
        Some(Keys { keys, issuers: content.named, fetched: content.fetched })
    }

    fn read(&self) -> Option<Content> {
        let size = fs::metadata(&self.path).ok()?.len();
        let text = (size <= MAX_BYTES).then(|| fs::read(&self.path).ok()).flatten()?;
        let content = serde_json::from_slice(&text);
        if content.is_err() {
            let file = self.path.display();
            tracing::warn!(%file, "--keys-cache holds no keys of ours and is written anew");
        }
        content.ok()
    }

    /// Keeps `keys`. A disk that is full is no reason to serve nobody.
    pub(super) fn write(&self, keys: &Keys) {
        let published =
            |key: &Key| Published { issuer: key.issuer.clone(), key: key.published.clone() };
        let content = Content {
            fetched: keys.fetched,
            issuers: self.issuers.clone(),
            named: keys.issuers.clone(),
            keys: keys.keys.iter().map(published).collect(),
        };
        let written = serde_json::to_vec(&content).map_err(io::Error::from);
        let written = written.and_then(|json| replace(&self.path, &json));
        if let Err(error) = written {
            let file = self.path.display();
            tracing::warn!(%file, %error, "--keys-cache cannot be written");
        }
    }
}

/// Whole or not at all: who reads meanwhile has the old one.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        keys::{KeyRing, KeySource},
        tests::fixture::{EC521, ISSUER, RSA, STRANGER, claims, keys, now, rules},
    };

    fn file(folder: &tempfile::TempDir) -> KeysFile {
        KeysFile::at(folder.path().join("keys.json")).of_issuers(vec![ISSUER.to_owned()])
    }

    /// A ring whose source is away.
    fn restarted(file: KeysFile) -> KeyRing {
        let away = KeySource::Issuers(vec!["https://127.0.0.1:1".to_owned()]);
        KeyRing::kept_in(Some(file), away, Clock::new(now))
    }

    #[tokio::test]
    async fn a_start_without_the_source_verifies_with_the_keys_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder);
        assert!(restarted(file.clone()).is_empty());
        file.write(&keys(&[&RSA, &EC521]));
        let ring = restarted(file.clone());
        for token in [RSA.token("RS256", &claims()), EC521.token("ES512", &claims())] {
            assert!(ring.verify(&token, &rules(), now()).await.is_ok());
        }
        assert!(ring.verify(&STRANGER.token("RS256", &claims()), &rules(), now()).await.is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn keys_of_other_issuers_and_broken_files_are_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder);
        file.write(&keys(&[&RSA]));
        let other = file.clone().of_issuers(vec!["https://other.example".to_owned()]);
        assert!(other.keys().is_none());
        let whole = fs::read(folder.path().join("keys.json")).unwrap();
        fs::write(folder.path().join("keys.json"), &whole[..whole.len() / 2]).unwrap();
        assert!(file.keys().is_none());
    }
}
