//! The newest keys on disk, so that an agent can verify tokens if it starts while the API server is
//! unavailable.
//!
//! The keys are public, but their file must be writable by the agent alone: they decide which
//! tokens are accepted. It is replaced as a whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Keys, KnownIssuer, PublicKey};

/// A larger file is not the agent's, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A file with keys, for the configured issuers, or for those that the API server names.
#[derive(Clone, Debug)]
pub struct KeysFile {
    path: PathBuf,
    issuers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct FileContent {
    fetched: Timestamp,
    issuers: Vec<String>,
    #[serde(default)]
    named: Vec<KnownIssuer>,
    keys: Vec<PublishedKey>,
}

#[derive(Serialize, Deserialize)]
struct PublishedKey {
    issuer: Option<String>,
    key: serde_json::Value,
}

impl KeysFile {
    /// The file at `path`, which need not exist yet.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path, issuers: Vec::new() }
    }

    /// The same file, for the keys of these issuers.
    #[must_use]
    pub fn of_issuers(self, issuers: Vec<String>) -> Self {
        Self { issuers, ..self }
    }

    /// The keys in it, if it can be read and is for the same issuers.
    #[must_use]
    pub fn keys(&self) -> Option<Keys> {
        self.parse(&self.read()?)
    }

    /// The keys in the file's content.
    pub(crate) fn parse(&self, text: &[u8]) -> Option<Keys> {
        let content = self.content(text)?;
        if content.issuers != self.issuers {
            return None;
        }
        let read =
            |published: PublishedKey| PublicKey::read(published.key, published.issuer.as_deref());
        let keys: Vec<PublicKey> = content.keys.into_iter().filter_map(read).collect();
        Some(Keys { keys, issuers: content.named, fetched: content.fetched })
    }

    fn read(&self) -> Option<Vec<u8>> {
        let size = fs::metadata(&self.path).ok()?.len();
        (size <= MAX_BYTES).then(|| fs::read(&self.path).ok()).flatten()
    }

    fn content(&self, text: &[u8]) -> Option<FileContent> {
        let content = serde_json::from_slice(text);
        if content.is_err() {
            let file = self.path.display();
            tracing::warn!(%file, "the file of --keys-cache is not a key cache; overwriting it");
        }
        content.ok()
    }

    /// Writes `keys`. Failing to is only logged, so that a full disk does not stop the agent.
    pub(super) fn write(&self, keys: &Keys) {
        let published = |key: &PublicKey| PublishedKey {
            issuer: key.issuer.clone(),
            key: key.published.clone(),
        };
        let content = FileContent {
            fetched: keys.fetched,
            issuers: self.issuers.clone(),
            named: keys.issuers.clone(),
            keys: keys.keys.iter().map(published).collect(),
        };
        let written = serde_json::to_vec(&content).map_err(io::Error::from);
        let written = written.and_then(|json| replace(&self.path, &json));
        if let Err(error) = written {
            let file = self.path.display();
            tracing::warn!(%file, %error, "could not write the file of --keys-cache; keeping the keys in memory");
        }
    }
}

/// Replaces the file atomically: a reader sees the old or the new content.
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
        bearer_token::tests::bearer,
        clock::Clock,
        keys::{JwksCache, KeySource},
        tests::fixture::{EC521, ISSUER, RSA, STRANGER, claims, keys, now, rules},
    };

    fn file(dir: &tempfile::TempDir) -> KeysFile {
        KeysFile::at(dir.path().join("keys.json")).of_issuers(vec![ISSUER.to_owned()])
    }

    /// A cache after a restart, whose source is unavailable.
    fn restarted(file: KeysFile) -> JwksCache {
        let away = KeySource::Issuers(vec!["https://127.0.0.1:1".to_owned()]);
        JwksCache::with_file(Some(file), away, Clock::new(now))
    }

    #[tokio::test]
    async fn without_its_source_a_cache_starts_with_the_keys_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        assert!(restarted(file.clone()).is_empty());
        file.write(&keys(&[&RSA, &EC521]));
        let cache = restarted(file.clone());
        for token in [RSA.token("RS256", &claims()), EC521.token("ES512", &claims())] {
            assert!(cache.verify(&bearer(&token), &rules(), now()).await.is_ok());
        }
        assert!(
            cache
                .verify(&bearer(&STRANGER.token("RS256", &claims())), &rules(), now())
                .await
                .is_err()
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn files_for_other_issuers_and_truncated_files_are_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let file = file(&dir);
        file.write(&keys(&[&RSA]));
        let other = file.clone().of_issuers(vec!["https://other.example".to_owned()]);
        assert!(other.keys().is_none());
        let whole = fs::read(dir.path().join("keys.json")).unwrap();
        fs::write(dir.path().join("keys.json"), &whole[..whole.len() / 2]).unwrap();
        assert!(file.keys().is_none());
    }
}
