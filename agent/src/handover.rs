//! The listening sockets pass from an agent to its successor, so that not one connection is lost.
//!
//! ```text
//!   successor ── connects to the Unix socket ──► predecessor
//!             ◄── the listening sockets (SCM_RIGHTS) ──
//!   both accept from the same queue, until the predecessor is told to end
//! ```
//!
//! The Unix socket is ours by its folder's rights and by the peer's user: whoever gets these
//! descriptors could read pods' tokens. The successor makes a new one in the same place.

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

/// An agent listens on no more addresses.
const SOCKETS: usize = 16;
/// The predecessor answers at once, or is no more.
const PATIENCE: Duration = Duration::from_secs(2);
/// Descriptors come with a byte of their own, since none cannot travel alone.
const WORD: &[u8] = b"1";

/// The listening sockets of the agent that runs, if one does; none where there is no predecessor.
#[must_use]
pub fn inherit(path: &Path) -> Vec<TcpListener> {
    match try_inherit(path) {
        Ok(listeners) => listeners,
        Err(error) => {
            tracing::debug!(%error, "no predecessor hands its sockets over");
            Vec::new()
        }
    }
}

fn try_inherit(path: &Path) -> io::Result<Vec<TcpListener>> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
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

/// A socket that listens for TCP; anything else is not what a predecessor sends.
fn listener(socket: OwnedFd) -> Option<TcpListener> {
    if !socket_acceptconn(&socket).unwrap_or_default() {
        return None;
    }
    let listener = TcpListener::from(socket);
    listener.local_addr().is_ok().then_some(listener)
}

/// Hands `listeners` to each successor that asks at `path`, from now on.
///
/// # Errors
/// When the Unix socket cannot be made; the text names the mend.
pub fn offer(path: &Path, listeners: Vec<TcpListener>) -> Result<(), String> {
    let failed = |error: io::Error| {
        format!("--handover {}: {error}; its folder must be there and ours alone", path.display())
    };
    let socket = bind(path).map_err(failed)?;
    tokio::spawn(async move {
        loop {
            match socket.accept().await {
                Ok((stream, _)) => hand_over(&stream, &listeners),
                Err(error) => {
                    tracing::warn!(%error, "a successor could not be heard");
                    tokio::time::sleep(PATIENCE).await;
                }
            }
        }
    });
    Ok(())
}

/// Binds beside and moves into place: a successor that asks meanwhile finds one or the other.
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
    let handed = send(stream, listeners);
    match handed {
        Ok(()) => tracing::info!(sockets = listeners.len(), "a successor has our sockets too"),
        Err(error) => tracing::warn!(%error, "a successor could not be given our sockets"),
    }
}

fn send(stream: &tokio::net::UnixStream, listeners: &[TcpListener]) -> io::Result<()> {
    let ours = rustix::process::geteuid().as_raw();
    if ![0, ours].contains(&stream.peer_cred()?.uid()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let sockets: Vec<BorrowedFd<'_>> =
        listeners.iter().take(SOCKETS).map(TcpListener::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&sockets));
    sendmsg(stream, &[IoSlice::new(WORD)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

#[cfg(test)]
mod tests;
