//! Answers `podrole-node health` and the watchdog of `podrole-node run`.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use podrole_node::health::READY;
use podrole_runtime::health::Health;
use tokio::{
    io::AsyncWriteExt as _,
    net::UnixListener,
    time::{sleep, timeout},
};

/// Why there is no health socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthSocketError {
    /// The socket cannot be bound.
    #[error(
        "--health-socket {}: {error}; its directory must exist and be writable by the agent",
        path.display()
    )]
    Bind {
        /// The socket.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
}

const RETRY: Duration = Duration::from_millis(100);
/// For a process that does not read the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers at `path` from now on.
///
/// # Errors
/// If the socket cannot be bound.
pub fn serve(path: &Path, health: Health) -> Result<(), HealthSocketError> {
    let _ = std::fs::remove_file(path);
    let failed = |error| HealthSocketError::Bind { path: path.to_owned(), error };
    let socket = UnixListener::bind(path).map_err(failed)?;
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = socket.accept().await else {
                // Out of file descriptors, perhaps. A process that no longer answers is killed.
                sleep(RETRY).await;
                continue;
            };
            let answer = answer(&health.pending());
            let _ = timeout(PATIENCE, stream.write_all(answer.as_bytes())).await;
        }
    });
    Ok(())
}

fn answer(pending: &[&str]) -> String {
    if pending.is_empty() {
        READY.to_owned()
    } else {
        format!("waiting for {}", pending.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use podrole_node::health::check;

    use super::*;

    #[tokio::test]
    async fn it_answers_ready_or_what_the_agent_waits_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("health");
        let health = Health::default();
        let gate = health.gate("the keys");
        serve(&path, health).unwrap();
        let not_ready = check(&path, false).await.unwrap_err();
        assert_eq!(not_ready.to_string(), "waiting for the keys");
        gate.open();
        assert!(check(&path, false).await.is_ok());
        assert!(serve(Path::new("/nonexistent/x"), Health::default()).is_err());
    }
}
