//! `podrole-agent health`: asks the agent in the same pod whether it is ready.
//!
//! During an update the old and the new agent share their TCP addresses, so a probe over TCP could
//! reach the wrong one. A Unix socket in the pod's own directory cannot.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use podrole_runtime::health::Health;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    time::timeout,
};

/// Why the agent's readiness is not known, or that it is not ready.
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
    /// The agent is not ready; the text says what it waits for.
    #[error("{0}")]
    NotReady(String),
    /// The agent does not answer.
    #[error("{}: {error}; is the agent running with this --health-socket?", path.display())]
    NoAnswer {
        /// The socket.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
}

const READY: &str = "ready";
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
        while let Ok((mut stream, _)) = socket.accept().await {
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

/// Asks the agent at `path`.
///
/// # Errors
/// If it is not ready, or does not answer.
pub async fn ask(path: &Path) -> Result<(), HealthSocketError> {
    let asked = timeout(PATIENCE, read(path)).await;
    let asked = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match asked {
        Ok(answer) if answer == READY => Ok(()),
        Ok(answer) => Err(HealthSocketError::NotReady(answer)),
        Err(error) => Err(HealthSocketError::NoAnswer { path: path.to_owned(), error }),
    }
}

async fn read(path: &Path) -> io::Result<String> {
    let stream = UnixStream::connect(path).await?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_ready_or_what_the_agent_waits_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("health");
        assert!(ask(&path).await.is_err());
        let health = Health::default();
        let gate = health.gate("the keys");
        serve(&path, health).unwrap();
        let not_ready = ask(&path).await.unwrap_err();
        assert_eq!(not_ready.to_string(), "waiting for the keys");
        gate.open();
        assert!(ask(&path).await.is_ok());
        assert!(serve(Path::new("/nonexistent/x"), Health::default()).is_err());
    }
}
