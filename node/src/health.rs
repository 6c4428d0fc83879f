//! `podrole-node health`: asks the agent in the same pod whether it is ready.
//!
//! During an update the old and the new agent share their TCP addresses, so a probe over TCP could
//! reach the wrong one. A Unix socket in the pod's own directory cannot.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{io::AsyncReadExt as _, net::UnixStream, time::timeout};

/// What a ready agent answers. One that is not answers `waiting for …`.
pub const READY: &str = "ready";
const PATIENCE: Duration = Duration::from_secs(2);
/// An agent with thousands of connections and little CPU time answers late.
const LIVE_PATIENCE: Duration = Duration::from_secs(10);

/// Why the agent's readiness is not known, or that it is not ready.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthError {
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

/// Asks the agent at `path` for at most 2 s. With `live` it may take 10 s, and not to be ready is no error.
///
/// # Errors
/// If it is not ready, or does not answer.
pub async fn check(path: &Path, live: bool) -> Result<(), HealthError> {
    let patience = if live { LIVE_PATIENCE } else { PATIENCE };
    let asked = timeout(patience, ask(path)).await;
    let asked = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match asked {
        Ok(answer) if live || answer == READY => Ok(()),
        Ok(answer) => Err(HealthError::NotReady(answer)),
        Err(error) => Err(HealthError::NoAnswer { path: path.to_owned(), error }),
    }
}

/// The agent's own words.
pub(crate) async fn ask(path: &Path) -> io::Result<String> {
    let stream = UnixStream::connect(path).await?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).await?;
    if answer.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncWriteExt as _, net::UnixListener};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_waits_is_live_and_one_that_says_nothing_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("health");
        assert!(check(&path, true).await.is_err());
        let socket = UnixListener::bind(&path).unwrap();
        let agent = tokio::spawn(async move {
            for answer in ["waiting for keys", "waiting for keys", READY, ""] {
                let (mut stream, _) = socket.accept().await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            socket
        });
        assert!(check(&path, true).await.is_ok());
        let error = check(&path, false).await.unwrap_err();
        assert_eq!(error.to_string(), "waiting for keys");
        assert!(check(&path, false).await.is_ok());
        assert!(check(&path, true).await.is_err(), "it was closed without an answer");
        let _stopped = agent.await.unwrap();
        let error = check(&path, true).await.unwrap_err();
        assert!(error.to_string().contains("timed out"), "{error}");
    }
}
