//! Passes listening sockets between processes over a Unix socket (`SCM_RIGHTS`).

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::TcpListener,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt::socket_acceptconn,
};

/// The maximum number of sockets that are passed at once.
pub const MAX_SOCKETS: usize = 16;

/// Sends `text`, which must not be empty, and the first 16 listeners with it.
///
/// # Errors
/// If the peer is gone.
pub fn send(stream: impl AsFd, text: &[u8], listeners: &[TcpListener]) -> io::Result<()> {
    let sockets: Vec<BorrowedFd<'_>> =
        listeners.iter().take(MAX_SOCKETS).map(TcpListener::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&sockets));
    }
    sendmsg(stream, &[IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives into `buffer`. Returns the number of bytes and the listeners that came with them; other descriptors are
/// closed.
///
/// # Errors
/// If the peer has closed its side, or sent a message that is longer than `buffer`.
pub fn receive(stream: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<TcpListener>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_SOCKETS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let into = &mut [IoSliceMut::new(buffer)];
    let got = recvmsg(stream, into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if got.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if got.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"));
    }
    let sockets = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    Ok((got.bytes, sockets.flatten().filter_map(listener).collect()))
}

/// The socket as a TCP listener, or `None` if it is not one.
#[must_use]
pub fn listener(socket: OwnedFd) -> Option<TcpListener> {
    if !socket_acceptconn(&socket).unwrap_or_default() {
        return None;
    }
    let listener = TcpListener::from(socket);
    listener.local_addr().is_ok().then_some(listener)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn listening_sockets_arrive_with_the_text() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let sent: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        send(&ours, b"two", &sent).unwrap();
        let mut text = [0; 8];
        let (bytes, arrived) = receive(&theirs, &mut text).unwrap();
        assert_eq!(&text[..bytes], b"two");
        for (sent, arrived) in sent.iter().zip(&arrived) {
            assert_eq!(sent.local_addr().unwrap(), arrived.local_addr().unwrap());
        }
        assert_eq!(arrived.len(), 2);
        send(&ours, b"none", &[]).unwrap();
        assert_eq!(receive(&theirs, &mut text).unwrap().1.len(), 0);
        drop(ours);
        let error = receive(&theirs, &mut text).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_does_not_listen_is_not_taken() {
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let connected = std::net::TcpStream::connect(listening.local_addr().unwrap()).unwrap();
        assert!(listener(OwnedFd::from(connected)).is_none());
        assert!(listener(OwnedFd::from(std::fs::File::open("/dev/null").unwrap())).is_none());
        assert!(listener(OwnedFd::from(listening)).is_some());
    }
}
