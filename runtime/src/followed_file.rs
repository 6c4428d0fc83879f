//! A file that is read again when its content changes. The last good content stays in use.

use std::{
    fmt::Display,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::Read as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{health::Gate, latest::Latest};

/// A kubelet takes up to a minute to bring a changed ConfigMap to a pod, so 2 s add little.
const BETWEEN_READS: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 2000 });
/// How long one read may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// A ConfigMap holds 1 MiB at most; a file that a person wrote may be larger, but not without end.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// A file's text, or why it could not be read.
type Content = Result<String, String>;

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
    pub async fn start(self, shutdown: CancellationToken) -> Latest<T> {
        let latest = Latest::default();
        let mut reader =
            Reader { following: self, latest: latest.clone(), seen: None, pending: None };
        reader.read_once().await;
        tokio::spawn(async move {
            loop {
                let next = async {
                    sleep(BETWEEN_READS).await;
                    reader.read_once().await;
                };
                tokio::select! {
                    () = next => {}
                    () = shutdown.cancelled() => return,
                }
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
    /// A read that has not answered yet. It is waited for, so that a dead file system costs one
    /// thread.
    pending: Option<oneshot::Receiver<Content>>,
}

impl<T, E: Display> Reader<T, E> {
    async fn read_once(&mut self) {
        let pending = self.pending.get_or_insert_with(|| read_in_a_thread(&self.following.path));
        let content = match timeout(PATIENCE, pending).await {
            Ok(answer) => {
                self.pending = None;
                answer.unwrap_or_else(|_| Err(no_answer()))
            }
            Err(_) => Err(no_answer()),
        };
        self.take(&content);
    }

    fn take(&mut self, content: &Content) {
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

/// Reads in a thread of its own. A thread of the runtime must not be held by a file on a dead
/// network mount, and one of its blocking pool would hold up the end of the process.
fn read_in_a_thread(path: &Path) -> oneshot::Receiver<Content> {
    let (send, content) = oneshot::channel();
    let path = path.to_owned();
    // Without a thread the sender is dropped, which the receiver takes for no answer.
    drop(thread::Builder::new().name("file".to_owned()).spawn(move || send.send(read(&path))));
    content
}

fn no_answer() -> String {
    format!("the file system did not answer within {} s", PATIENCE.as_secs())
}

/// The content counts, not the time of the file: a kubelet swaps symbolic links beneath the name.
fn read(path: &Path) -> Content {
    let error = |error: std::io::Error| error.to_string();
    // Opening a FIFO would wait for a writer.
    if !std::fs::metadata(path).map_err(error)?.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(error)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("it is larger than 8 MiB; shorten it".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

fn hash(content: &Content) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
