//! The new agent's side.

use std::{
    io::{self, Write as _},
    net::{Shutdown, TcpListener},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use super::{
    agreement::Agreement,
    wire::{Answer, Introduction, receive},
};

/// How long to wait for the predecessor, which looks up a pod before it answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a new agent finds on its node.
#[derive(Debug)]
pub enum Inheritance {
    /// No agent that could hand sockets over: bind new ones.
    None,
    /// The listening sockets of the running agent.
    Sockets(Vec<TcpListener>),
    /// The running agent keeps its sockets, for this reason.
    Refused(String),
}

/// Asks the agent that offers its sockets at `path` for them. The token is in the file `token`.
/// Blocks for at most 12 s.
#[must_use]
pub fn inherit(path: &Path, token: &Path, agreement: &Agreement) -> Inheritance {
    match try_inherit(path, token, agreement) {
        Ok(Answer::Sockets(listeners)) => Inheritance::Sockets(listeners),
        Ok(Answer::Refused(reason)) => Inheritance::Refused(reason),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
        {
            Inheritance::Refused("it did not answer within 10 s".to_owned())
        }
        Err(error) => {
            tracing::debug!(%error, "could not inherit sockets from a predecessor; binding new ones");
            Inheritance::None
        }
    }
}

fn try_inherit(path: &Path, token: &Path, agreement: &Agreement) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    // For each attempt, because the kubelet replaces the file.
    let token = match std::fs::read_to_string(token) {
        Ok(token) => token.trim().to_owned(),
        Err(error) => {
            let file = token.display();
            return Ok(Answer::Refused(format!("--handover-token {file}: {error}")));
        }
    };
    let introduction = Introduction { token, agreement: agreement.clone() };
    let said = stream.write_all(&serde_json::to_vec(&introduction)?);
    // A predecessor that refuses this process's user answers without reading.
    if said.and_then(|()| stream.shutdown(Shutdown::Write)).is_err() {
        tracing::debug!("the predecessor has not read all of the introduction");
    }
    receive(&stream)
}
