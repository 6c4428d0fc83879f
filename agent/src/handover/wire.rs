//! What the two agents send each other.

use std::{
    io::{self, Read as _},
    net::TcpListener,
    os::{fd::AsFd, unix::net::UnixStream},
};

use podrole_node::sockets;
use serde::{Deserialize, Serialize};

use super::agreement::Agreement;

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
    sockets::send(stream, &[SOCKETS], listeners)
}

/// A refusal as bytes.
pub(super) fn refusal(reason: &str) -> Vec<u8> {
    [&[REFUSED], reason.as_bytes()].concat()
}

/// Waits for the answer.
pub(super) fn receive(mut stream: &UnixStream) -> io::Result<Answer> {
    let mut first = [0; 1];
    let (_, sockets) = sockets::receive(stream, &mut first)?;
    if first == [SOCKETS] {
        return Ok(Answer::Sockets(sockets));
    }
    let mut reason = Vec::new();
    // If the predecessor has not read all that was sent to it, an error follows the text.
    let _ = stream.by_ref().take(MAX_REFUSAL).read_to_end(&mut reason);
    Ok(Answer::Refused(String::from_utf8_lossy(&reason).into_owned()))
}
