//! The association list file, read again when its content changes.
//!
//! Only the content counts: whether it was written in place, renamed into place or swapped by the
//! kubelet behind two symlinks makes no difference, nor does a relative path.

use std::{io::ErrorKind, path::PathBuf, time::Duration};

use podrole_identity::AssociationList;
use podrole_runtime::health::Gate;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{Metrics, metrics::Source, sources::Latest};

/// How often the file is read. A kubelet takes a minute to bring a changed ConfigMap.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Follows the list in `path` until `shutdown`. The last good list survives a bad one; a file that
/// is not there, or empty, is a list that names nobody. `listed` opens with the first good one.
pub(crate) fn follow(
    path: PathBuf,
    metrics: Metrics,
    listed: Gate,
    shutdown: CancellationToken,
) -> Latest<AssociationList> {
    let latest = Latest::default();
    let mut file = File { path, last: None, latest: latest.clone(), metrics };
    // At once, so that a good list is known before the first review.
    let text = std::fs::read_to_string(&file.path);
    file.take(text, &listed);
    tokio::spawn(async move {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = shutdown.cancelled() => return,
            }
            let text = tokio::fs::read_to_string(&file.path).await;
            file.take(text, &listed);
        }
    });
    latest
}

struct File {
    path: PathBuf,
    /// What it held when it was read last, good or bad: each is told once.
    last: Option<Result<String, ErrorKind>>,
    latest: Latest<AssociationList>,
    metrics: Metrics,
}

impl File {
    fn take(&mut self, text: std::io::Result<String>, listed: &Gate) {
        let text = text.map_err(|error| error.kind());
        if self.last.as_ref() == Some(&text) {
            return;
        }
        let file = self.path.display();
        let read = read(&text);
        if let Err(error) = &read {
            tracing::warn!(%file, error, "the last good association list is used on");
        }
        self.metrics.source_problems(Source::Associations, usize::from(read.is_err()));
        if let Ok(list) = read {
            tracing::info!(%file, entries = list.len(), "the association list was read");
            self.latest.set(list);
            listed.open();
        }
        self.last = Some(text);
    }
}

/// A file that is not there is an empty list, as with EKS's webhook.
fn read(text: &Result<String, ErrorKind>) -> Result<AssociationList, String> {
    match text {
        Ok(text) => AssociationList::read(text).map_err(|error| error.to_string()),
        Err(ErrorKind::NotFound) => Ok(AssociationList::default()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
