//! `podrole-agent health`: asks the agent of this very pod whether it is ready.
//!
//! Old and new agent share their TCP addresses for a while, so a probe over TCP could reach the
//! other one; a Unix socket in the pod's own folder cannot.

use std::{io, path::Path, time::Duration};

use podrole_runtime::health::Health;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    time::timeout,
};

const READY: &str = "ready";
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers at `path` from now on.
///
/// # Errors
/// When the socket cannot be made; the text names the mend.
pub fn serve(path: &Path, health: Health) -> Result<(), String> {
    let _ = std::fs::remove_file(path);
    let socket = UnixListener::bind(path).map_err(|error| {
        format!("--health-socket {}: {error}; its folder must be there and ours", path.display())
    })?;
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
/// When it is not ready, with what it waits for, or not there.
pub async fn ask(path: &Path) -> Result<(), String> {
    let asked = timeout(PATIENCE, read(path)).await;
    let asked = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match asked {
        Ok(answer) if answer == READY => Ok(()),
        Ok(answer) => Err(answer),
        Err(error) => Err(format!("{}: {error}", path.display())),
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
    async fn it_says_ready_or_what_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("health");
        assert!(ask(&path).await.is_err());
        let health = Health::default();
        let gate = health.gate("the keys");
        serve(&path, health).unwrap();
        assert_eq!(ask(&path).await, Err("waiting for the keys".to_owned()));
        gate.open();
        assert_eq!(ask(&path).await, Ok(()));
        assert!(serve(Path::new("/nonexistent/x"), Health::default()).is_err());
    }
}
