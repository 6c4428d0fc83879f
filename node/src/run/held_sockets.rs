//! The parent's side of the channel: binds the addresses, and keeps the sockets while no agent runs.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    sync::{Mutex, MutexGuard, PoisonError},
};

use podrole_runtime::listen::listen;

use crate::{
    channel::{Failure, MAX_MESSAGE, Reply, Request},
    sockets,
};

/// The sockets that the running agent listens on.
pub(super) struct HeldSockets {
    /// What an agent may have bound. One that was taken over must not get other ports of the host.
    allowed: Vec<SocketAddr>,
    sockets: Mutex<Vec<TcpListener>>,
}

impl HeldSockets {
    pub(super) fn new(allowed: Vec<SocketAddr>) -> Self {
        Self { allowed, sockets: Mutex::default() }
    }

    /// Closes them: from now on connections are refused, unless another process listens too.
    pub(super) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<TcpListener>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one agent until it ends. `restarts` says how many there were before it. Blocks; must be called in a runtime.
    pub(super) fn serve(&self, channel: &OwnedFd, restarts: u64) {
        let mut buffer = vec![0; MAX_MESSAGE];
        while let Ok((bytes, sockets)) = sockets::receive(channel, &mut buffer) {
            let answered = serde_json::from_slice(&buffer[..bytes])
                .map_err(io::Error::other)
                .and_then(|request| self.answer(channel, request, sockets, restarts));
            if let Err(error) = answered {
                tracing::warn!(%error, "could not answer the agent's request for sockets");
            }
        }
    }

    fn answer(
        &self,
        channel: &OwnedFd,
        request: Request,
        sockets: Vec<TcpListener>,
        restarts: u64,
    ) -> io::Result<()> {
        let mut held = self.lock();
        let mut reply = Reply { restarts, ..Reply::default() };
        let send = match request {
            Request::Take => held.as_slice(),
            Request::Keep => {
                *held = sockets;
                &[]
            }
            Request::Bind(addresses) => {
                let (bound, failed) = self.bind(&addresses);
                reply.failed = failed;
                let before = held.len();
                held.extend(bound);
                &held[before..]
            }
        };
        sockets::send(channel, &serde_json::to_vec(&reply)?, send)
    }

    fn bind(&self, addresses: &[SocketAddr]) -> (Vec<TcpListener>, Vec<Failure>) {
        let (mut bound, mut failed) = (Vec::new(), Vec::new());
        for &address in addresses {
            if !self.allowed.contains(&address) {
                failed.push(Failure { address, code: None });
                continue;
            }
            match listen(address) {
                Ok(listener) => bound.push(listener),
                Err(error) => failed.push(Failure { address, code: error.raw_os_error() }),
            }
        }
        (bound, failed)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;
    use crate::{channel::pair, parent::Parent};

    /// An agent that was just started.
    fn agent(held: &Arc<HeldSockets>, restarts: u64) -> Parent {
        let (ours, theirs) = pair().unwrap();
        let (held, runtime) = (Arc::clone(held), tokio::runtime::Handle::current());
        thread::spawn(move || {
            let _entered = runtime.enter();
            held.serve(&ours, restarts);
        });
        Parent::new(theirs).unwrap()
    }

    fn free_address() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_next_agent_gets_the_sockets_of_the_one_before() {
        let address = free_address();
        let held = Arc::new(HeldSockets::new(vec![address]));
        let first = agent(&held, 0);
        let kept = first.take().unwrap();
        assert_eq!((kept.sockets.len(), kept.restarts), (0, 0));
        let bound = first.bind(&[address]).unwrap();
        assert!(bound.sockets.len() == 1 && bound.failed.is_empty());
        drop((first, bound));
        let _waiting = std::net::TcpStream::connect(address).expect("it waits for the next agent");
        let kept = agent(&held, 1).take().unwrap();
        assert_eq!(kept.restarts, 1);
        assert_eq!(kept.sockets[0].local_addr().unwrap(), address);
        kept.sockets[0].accept().unwrap();
        drop(kept);
        held.close();
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sockets_that_the_agent_took_over_are_kept_too() {
        let held = Arc::new(HeldSockets::new(Vec::new()));
        let inherited = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = inherited.local_addr().unwrap();
        agent(&held, 0).keep(&[inherited]).unwrap();
        let kept = agent(&held, 1).take().unwrap();
        assert_eq!(kept.sockets[0].local_addr().unwrap(), address);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn other_addresses_are_refused_and_the_kernel_s_error_is_passed_on() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let (taken_at, other) = (taken.local_addr().unwrap(), free_address());
        let held = Arc::new(HeldSockets::new(vec![taken_at]));
        let bound = agent(&held, 0).bind(&[taken_at, other]).unwrap();
        assert!(bound.sockets.is_empty());
        let errors: Vec<_> = bound.failed.iter().map(|(_, error)| error.to_string()).collect();
        assert!(errors[0].contains("stop the process that uses this one"), "{errors:?}");
        assert!(errors[1].contains("podrole-node run` the same --bind-hosts"), "{errors:?}");
    }
}
