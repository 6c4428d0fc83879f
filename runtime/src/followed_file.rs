//! A file that is read again when its content changes. The last good content stays in use.

use std::{
    fmt::Display,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{health::Gate, latest::Latest};

/// A kubelet takes up to a minute to bring a changed ConfigMap to a pod, so 2 s add little.
const BETWEEN_READS: Duration = Duration::from_secs(2);
/// A ConfigMap holds 1 MiB at most; a file that a person wrote may be larger, but not without end.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// How a file is followed.
pub struct Following<T, E> {
    /// The file.
    pub path: PathBuf,
    /// What it is, for the log: "the association list".
    pub what: &'static str,
    /// Reads its text. Called once for each content.
    pub parse: fn(&str) -> Result<T, E>,
    /// 1 while the newest content cannot be used, else 0.
    pub errors: Gauge,
    /// Opened by the first good content, and never closed again: a daemon that becomes unready
    /// because of a bad edit would stop serving everyone.
    pub first_read: Gate,
}

impl<T: Send + Sync + 'static, E: Display + 'static> Following<T, E> {
    /// Follows the file until `shutdown`. It is read once before this function returns, so that a
    /// good file is known before the first request.
    pub fn start(self, shutdown: CancellationToken) -> Latest<T> {
        let latest = Latest::default();
        let mut reader = Reader { following: self, latest: latest.clone(), seen: None };
        reader.take(&read(&reader.following.path));
        tokio::spawn(async move {
            let mut ticks = interval(BETWEEN_READS);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = shutdown.cancelled() => return,
                }
                let path = reader.following.path.clone();
                // A file on a hanging network mount must not hold a runtime thread.
                let Ok(content) = tokio::task::spawn_blocking(move || read(&path)).await else {
                    return;
                };
                reader.take(&content);
            }
        });
        latest
    }
}

struct Reader<T, E> {
    following: Following<T, E>,
    latest: Latest<T>,
    /// The hash of the newest content or error, so that each is parsed and logged once.
    seen: Option<u64>,
}

impl<T, E: Display> Reader<T, E> {
    fn take(&mut self, content: &Result<String, String>) {
        let now = Some(hash(content));
        if now == std::mem::replace(&mut self.seen, now) {
            return;
        }
        let Following { path, what, parse, errors, first_read } = &self.following;
        let parsed = content.as_ref().map_err(Clone::clone);
        let parsed = parsed.and_then(|text| parse(text).map_err(|error| error.to_string()));
        errors.set(i64::from(parsed.is_err()));
        match parsed {
            Ok(value) => {
                self.latest.set(value);
                first_read.open();
            }
            Err(error) => {
                let (file, has_one) = (path.display(), self.latest.current().is_some());
                let next = if has_one {
                    "keeping the last good content"
                } else {
                    "not ready until it can"
                };
                tracing::error!(%file, error, "could not read {what}; {next}");
            }
        }
    }
}

/// The content counts, not the time of the file: a kubelet swaps symbolic links beneath the name.
fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_BYTES {
        return Err("it is larger than 8 MiB; shorten it".to_owned());
    }
    Ok(text)
}

fn hash(content: &Result<String, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
