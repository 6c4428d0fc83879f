//! A serving pair in two PEM files, as written by cert-manager or mounted from a Secret.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{Expires, Pair, PairError, Serving};

/// How often the files are read again. The kubelet takes about a minute to update a mounted Secret,
/// so a file watch would not be faster, and it can lose events when the symlinks are swapped.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Why files cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// A file cannot be read.
    #[error("could not read {}: {error}; name a PEM file or mount the Secret that contains it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// The content of the files is not a valid pair.
    #[error("{} and {}: {error}", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with the pair.
        error: PairError,
    },
    /// The TLS configuration could not be built.
    #[error("could not set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Serves the pair in two PEM files and follows their changes until `shutdown`. An invalid change
/// is logged and the current certificate stays. `expires` is updated with each change.
///
/// # Errors
/// If the files cannot be read now, or are not a valid pair.
pub async fn watch_files(
    certificate: &Path,
    key: &Path,
    expires: Expires,
    shutdown: CancellationToken,
) -> Result<Arc<ServerConfig>, FilesError> {
    let pair = read(certificate, key).await?;
    let failed = |error| FilesError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        error,
    };
    let serving = Serving::new(&pair).map_err(failed)?;
    let config = serving.server_config()?;
    expires.note(pair.expires_at());
    let (certificate, key) = (certificate.to_owned(), key.to_owned());
    tokio::spawn(async move {
        tokio::select! {
            () = follow(serving, pair, &certificate, &key, &expires) => {}
            () = shutdown.cancelled() => {}
        }
    });
    Ok(config)
}

async fn follow(
    serving: Serving,
    mut served: Pair,
    certificate: &Path,
    key: &Path,
    expires: &Expires,
) {
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Remembered so that an invalid pair is logged once, not every two seconds.
    let mut rejected = None;
    loop {
        ticks.tick().await;
        let pair = match read(certificate, key).await {
            Ok(pair) => pair,
            Err(error) => {
                tracing::warn!(%error, "could not read the certificate; serving the current one");
                continue;
            }
        };
        if pair == served || rejected.as_ref() == Some(&pair) {
            continue;
        }
        match serving.replace(&pair) {
            Ok(()) => {
                tracing::info!(file = %certificate.display(), "serving a new certificate");
                expires.note(pair.expires_at());
                served = pair;
            }
            Err(error) => {
                let file = certificate.display();
                tracing::warn!(%file, %error, "could not use the new certificate; serving the current one");
                rejected = Some(pair);
            }
        }
    }
}

async fn read(certificate: &Path, key: &Path) -> Result<Pair, FilesError> {
    let text = async |path: &Path| {
        let read = tokio::fs::read_to_string(path).await;
        read.map_err(|error| FilesError::Read { path: path.to_owned(), error })
    };
    Ok(Pair::from_pem(text(certificate).await?, text(key).await?))
}
