//! Passes the listening sockets from an agent to its successor, so that no connection is lost.
//!
//! ```text
//!   successor ── connects to the Unix socket ──► predecessor
//!             ◄── the listening sockets (SCM_RIGHTS) ──
//!   both accept from the same queue, until the predecessor is stopped
//! ```
//!
//! The Unix socket is protected by its directory's permissions and a check of the peer's user,
//! because a process with these descriptors could read pods' tokens. The successor binds a new one
//! at the same path.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::TcpListener,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::{fs::PermissionsExt as _, net::UnixStream},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt::socket_acceptconn,
};
use tokio::net::UnixListener;

/// The maximum number of sockets that are passed.
const MAX_SOCKETS: usize = 16;
/// How long to wait for the predecessor. It answers at once, unless it is dying.
const PATIENCE: Duration = Duration::from_secs(2);
/// Descriptors can only be sent along with at least one byte.
const PAYLOAD: &[u8] = b"1";

/// The Unix socket could not be bound.
#[derive(Debug, thiserror::Error)]
#[error(
    "--handover {}: {error}; its directory must exist and be writable by the agent's user alone",
    path.display()
)]
pub struct HandoverError {
    path: PathBuf,
    error: io::Error,
}

/// The listening sockets of the running agent; empty if there is none.
#[must_use]
pub fn inherit(path: &Path) -> Vec<TcpListener> {
    match try_inherit(path) {
        Ok(listeners) => listeners,
        Err(error) => {
            tracing::debug!(%error, "could not inherit sockets from a predecessor; binding new ones");
            Vec::new()
        }
    }
}

fn try_inherit(path: &Path) -> io::Result<Vec<TcpListener>> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut word = [0; 1];
    let into = &mut [IoSliceMut::new(&mut word)];
    let got = recvmsg(&stream, into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if got.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let sockets = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    Ok(sockets.flatten().filter_map(listener).collect())
}

/// The socket as a TCP listener, or `None` if it is not one.
fn listener(socket: OwnedFd) -> Option<TcpListener> {
    if !socket_acceptconn(&socket).unwrap_or_default() {
        return None;
    }
    let listener = TcpListener::from(socket);
    listener.local_addr().is_ok().then_some(listener)
}

/// Sends `listeners` to each successor that connects to `path`, from now on.
///
/// # Errors
/// If the Unix socket cannot be bound.
pub fn offer(path: &Path, listeners: Vec<TcpListener>) -> Result<(), HandoverError> {
    let failed = |error| HandoverError { path: path.to_owned(), error };
    let socket = bind(path).map_err(failed)?;
    tokio::spawn(async move {
        loop {
            match socket.accept().await {
                Ok((stream, _)) => hand_over(&stream, &listeners),
                Err(error) => {
                    tracing::warn!(
                        %error,
                        "could not accept a connection on the handover socket; retrying"
                    );
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    });
    Ok(())
}

/// Binds at a temporary path and renames it, so that a successor always finds a socket.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let _ = std::fs::remove_file(&beside);
    let socket = UnixListener::bind(&beside)?;
    std::fs::set_permissions(&beside, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&beside, path)?;
    Ok(socket)
}

fn hand_over(stream: &tokio::net::UnixStream, listeners: &[TcpListener]) {
    match send(stream, listeners) {
        Ok(()) => {
            tracing::info!(sockets = listeners.len(), "sent the listening sockets to a successor");
        }
        Err(error) => {
            tracing::warn!(%error, "could not send the listening sockets to a successor; it binds its own");
        }
    }
}

fn send(stream: &tokio::net::UnixStream, listeners: &[TcpListener]) -> io::Result<()> {
    let ours = rustix::process::geteuid().as_raw();
    if ![0, ours].contains(&stream.peer_cred()?.uid()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let sockets: Vec<BorrowedFd<'_>> =
        listeners.iter().take(MAX_SOCKETS).map(TcpListener::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&sockets));
    sendmsg(stream, &[IoSlice::new(PAYLOAD)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

#[cfg(test)]
mod tests;
