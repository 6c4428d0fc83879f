//! A serving pair in two files, as cert-manager or a mounted Secret leaves it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{Expires, Pair, PairError, Serving};

/// How often the files are read again. A kubelet takes a minute to bring a new Secret, so a watch
/// on the files would win nothing, and events are lost when it swaps the symlinks.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why files cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}; name a PEM file, or mount the Secret that has it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The files' content cannot be served.
    #[error("{} and {}: {error}", certificate.display(), key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        error: PairError,
    },
    /// TLS itself cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Serves the pair in two PEM files, and from then on what they are changed to, until `shutdown`.
/// A change that does not hold together is logged and not served. `expires` is kept right.
///
/// # Errors
/// When the files cannot be read or served now.
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
    expires.note(pair.ends());
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
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The pair that was refused last: each is told once, not every two seconds.
    let mut refused = None;
    loop {
        ticks.tick().await;
        let pair = match read(certificate, key).await {
            Ok(pair) => pair,
            Err(error) => {
                tracing::warn!(%error, "the certificate served so far is served on");
                continue;
            }
        };
        if pair == served || refused.as_ref() == Some(&pair) {
            continue;
        }
        match serving.replace(&pair) {
            Ok(()) => {
                tracing::info!(file = %certificate.display(), "a new certificate is served");
                expires.note(pair.ends());
                served = pair;
            }
            Err(error) => {
                let file = certificate.display();
                tracing::warn!(%file, %error, "the certificate served so far is served on");
                refused = Some(pair);
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
