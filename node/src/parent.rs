//! The agent's side of the channel to its parent process.

use std::{
    fs::File,
    io,
    net::{SocketAddr, TcpListener},
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use podrole_runtime::listen::BindError;
use rustix::net::{
    SocketType,
    sockopt::{Timeout, set_socket_timeout, socket_type},
};

use crate::{
    channel::{Failure, MAX_MESSAGE, Reply, Request},
    sockets,
};

/// How long the parent, which does nothing else, may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the parent process cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParentError {
    /// Standard input is something else.
    #[error(
        "--supervised: standard input is not a channel to a parent process; start the agent with \
         `podrole-node run -- podrole-agent …`, which sets this flag, or leave it out"
    )]
    NotSupervised,
    /// The channel fails.
    #[error("could not get the listening sockets from the parent process: {0}")]
    Channel(#[from] io::Error),
}

/// The parent process, `podrole-node run`, to which this process's standard input is connected.
pub struct Parent {
    channel: OwnedFd,
}

/// What the parent has.
pub struct Kept {
    /// The sockets of the agent that ran before; empty for the first one.
    pub sockets: Vec<TcpListener>,
    /// How often the parent has started an agent again.
    pub restarts: u64,
    /// Whether a predecessor in another pod may accept connections from the same sockets: no agent of this pod was ready
    /// yet.
    pub shared: bool,
}

/// What came of binding some addresses.
pub struct Bound {
    /// A socket for each address that could be bound.
    pub sockets: Vec<TcpListener>,
    /// Why the others could not.
    pub failed: Vec<(SocketAddr, BindError)>,
}

impl Parent {
    /// The parent at the other end of standard input. This process ends when the parent does.
    ///
    /// # Errors
    /// If standard input is not such a channel.
    pub fn on_stdin() -> Result<Self, ParentError> {
        let channel = io::stdin().as_fd().try_clone_to_owned()?;
        if socket_type(&channel).ok() != Some(SocketType::SEQPACKET) {
            return Err(ParentError::NotSupervised);
        }
        // A process that this one starts, such as a credential_process, inherits standard input, and must not get sockets.
        rustix::stdio::dup2_stdin(File::open("/dev/null")?).map_err(io::Error::from)?;
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            .map_err(io::Error::from)?;
        Ok(Self::new(channel)?)
    }

    pub(crate) fn new(channel: OwnedFd) -> io::Result<Self> {
        set_socket_timeout(&channel, Timeout::Recv, Some(PATIENCE))?;
        set_socket_timeout(&channel, Timeout::Send, Some(PATIENCE))?;
        Ok(Self { channel })
    }

    /// What the parent has kept from the agent that ran before. Blocks for at most 5 s, as all requests do.
    ///
    /// # Errors
    /// If the parent does not answer.
    pub fn take(&self) -> Result<Kept, ParentError> {
        let (reply, sockets) = self.ask(&Request::Take, &[])?;
        Ok(Kept { sockets, restarts: reply.restarts, shared: reply.shared })
    }

    /// Gives the parent copies of these sockets, for the next agent.
    ///
    /// # Errors
    /// If the parent does not answer.
    pub fn keep(&self, sockets: &[TcpListener]) -> Result<(), ParentError> {
        self.ask(&Request::Keep, sockets)?;
        Ok(())
    }

    /// Has the parent listen on these addresses. It keeps copies of the sockets.
    ///
    /// # Errors
    /// If the parent does not answer. An address that cannot be bound is no error of the whole.
    pub fn bind(&self, addresses: &[SocketAddr]) -> Result<Bound, ParentError> {
        let (reply, sockets) = self.ask(&Request::Bind(addresses.to_vec()), &[])?;
        let failed = reply.failed.into_iter().map(|it| (it.address, it.into_error())).collect();
        Ok(Bound { sockets, failed })
    }

    fn ask(
        &self,
        request: &Request,
        with: &[TcpListener],
    ) -> Result<(Reply, Vec<TcpListener>), ParentError> {
        let text = serde_json::to_vec(request).map_err(io::Error::other)?;
        sockets::send(&self.channel, &text, with)?;
        let mut buffer = vec![0; MAX_MESSAGE];
        let (bytes, sockets) = sockets::receive(&self.channel, &mut buffer)?;
        let reply = serde_json::from_slice(&buffer[..bytes]).map_err(io::Error::other)?;
        Ok((reply, sockets))
    }
}

impl Failure {
    fn into_error(self) -> BindError {
        let error = self.code.map_or_else(
            || {
                io::Error::other(
                    "the parent process does not bind this address; give `podrole-node run` the \
                     same --bind-hosts and --port",
                )
            },
            io::Error::from_raw_os_error,
        );
        BindError::new(self.address, error)
    }
}
