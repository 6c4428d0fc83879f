//! What the two agents send each other.

use std::{
    io::{self, IoSlice, IoSliceMut, Read as _},
    mem::MaybeUninit,
    net::TcpListener,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt::socket_acceptconn,
};
use serde::{Deserialize, Serialize};

use super::agreement::Agreement;

/// The maximum number of sockets that are passed.
const MAX_SOCKETS: usize = 16;
/// The longest introduction that is read, and the longest refusal, in bytes.
pub(super) const MAX_INTRODUCTION: u64 = 32 * 1024;
const MAX_REFUSAL: u64 = 4096;
/// The first byte of an answer: the sockets come with it, or the text of a refusal after it.
/// Descriptors can only be sent along with at least one byte.
const SOCKETS: u8 = b'1';
const REFUSED: u8 = b'0';

/// What a successor says first, as JSON; it then closes its side for writing. Not `Debug`: it has a token.
#[derive(Serialize, Deserialize)]
pub(super) struct Introduction {
    pub(super) token: String,
    #[serde(flatten)]
    pub(super) agreement: Agreement,
}

/// The predecessor's answer.
pub(super) enum Answer {
    Sockets(Vec<TcpListener>),
    Refused(String),
}

pub(super) fn send_sockets(stream: impl AsFd, listeners: &[TcpListener]) -> io::Result<()> {
    let sockets: Vec<BorrowedFd<'_>> =
        listeners.iter().take(MAX_SOCKETS).map(TcpListener::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&sockets));
    sendmsg(stream, &[IoSlice::new(&[SOCKETS])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// A refusal as bytes.
pub(super) fn refusal(reason: &str) -> Vec<u8> {
    [&[REFUSED], reason.as_bytes()].concat()
}

/// Waits for the answer.
pub(super) fn receive(mut stream: &UnixStream) -> io::Result<Answer> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut first = [0; 1];
    let into = &mut [IoSliceMut::new(&mut first)];
    let got = recvmsg(stream, into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if got.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if first == [SOCKETS] {
        let sockets = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        });
        return Ok(Answer::Sockets(sockets.flatten().filter_map(listener).collect()));
    }
    let mut reason = Vec::new();
    // If the predecessor has not read all that was sent to it, an error follows the text.
    let _ = stream.by_ref().take(MAX_REFUSAL).read_to_end(&mut reason);
    Ok(Answer::Refused(String::from_utf8_lossy(&reason).into_owned()))
}

/// The socket as a TCP listener, or `None` if it is not one.
pub(super) fn listener(socket: OwnedFd) -> Option<TcpListener> {
    if !socket_acceptconn(&socket).unwrap_or_default() {
        return None;
    }
    let listener = TcpListener::from(socket);
    listener.local_addr().is_ok().then_some(listener)
}
