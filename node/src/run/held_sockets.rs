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
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sockets: Vec<TcpListener>,
    /// Whether they are a predecessor's too, who may still accept connections.
    shared: bool,
}

impl HeldSockets {
    pub(super) fn new(allowed: Vec<SocketAddr>) -> Self {
        Self { allowed, state: Mutex::default() }
    }

    /// Closes them: from now on connections are refused, unless another process listens too.
    pub(super) fn close(&self) {
        self.lock().sockets.clear();
    }

    /// An agent was ready: if there is a predecessor, it will end.
    pub(super) fn set_served(&self) {
        self.lock().shared = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one agent until the channel is shut down. `reply` says what is the same in all answers. Blocks; must be
    /// called in a runtime.
    pub(super) fn serve(&self, channel: &OwnedFd, reply: &Reply) {
        let mut buffer = vec![0; MAX_MESSAGE];
        while let Ok((bytes, sockets)) = sockets::receive(channel, &mut buffer) {
            let answered = serde_json::from_slice(&buffer[..bytes])
                .map_err(io::Error::other)
                .and_then(|request| self.answer(channel, request, sockets, reply.clone()));
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
        mut reply: Reply,
    ) -> io::Result<()> {
        let send = match request {
            Request::Take => {
                let state = self.lock();
                reply.shared = state.shared;
                copies(&state.sockets)?
            }
            Request::Keep => {
                let is_allowed =
                    |it: &TcpListener| it.local_addr().is_ok_and(|it| self.is_allowed(it));
                let sockets = sockets.into_iter().filter(is_allowed).collect();
                *self.lock() = State { sockets, shared: true };
                Vec::new()
            }
            Request::Bind(addresses) => {
                let mut state = self.lock();
                let mut send = Vec::new();
                for address in addresses {
                    match self.bind(&mut state.sockets, address) {
                        Ok(socket) => send.push(socket),
                        Err(code) => reply.failed.push(Failure { address, code }),
                    }
                }
                send
            }
        };
        // Without the lock: an agent that does not read must not keep this process from ending.
        sockets::send(channel, &serde_json::to_vec(&reply)?, &send)
    }

    fn is_allowed(&self, address: SocketAddr) -> bool {
        let allows =
            |it: &SocketAddr| *it == address || (it.port() == 0 && it.ip() == address.ip());
        self.allowed.iter().any(allows)
    }

    /// A copy of the held socket of this address, which is made if there is none; or the kernel's error number, or `None`
    /// if the address is not allowed.
    fn bind(
        &self,
        held: &mut Vec<TcpListener>,
        address: SocketAddr,
    ) -> Result<TcpListener, Option<i32>> {
        if !self.is_allowed(address) {
            return Err(None);
        }
        let failed = |error: io::Error| Some(error.raw_os_error().unwrap_or_default());
        // An agent asks again after another of its addresses could not be bound.
        let known = held.iter().find(|it| it.local_addr().is_ok_and(|it| it == address));
        if let Some(known) = known {
            return known.try_clone().map_err(failed);
        }
        let socket = listen(address).map_err(failed)?;
        let copy = socket.try_clone().map_err(failed)?;
        held.push(socket);
        Ok(copy)
    }
}

fn copies(sockets: &[TcpListener]) -> io::Result<Vec<TcpListener>> {
    sockets.iter().map(TcpListener::try_clone).collect()
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
            held.serve(&ours, &Reply { restarts, ..Reply::default() });
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
        // Another test may just start a process, which has copies of all sockets until it runs its program.
        let refused = || std::net::TcpStream::connect(address).is_err();
        for _ in 0..100 {
            if refused() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("connections are still accepted");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn sockets_that_the_agent_took_over_are_kept_too() {
        let inherited = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = inherited.local_addr().unwrap();
        let held = Arc::new(HeldSockets::new(vec![address]));
        let foreign = TcpListener::bind("127.0.0.1:0").unwrap();
        agent(&held, 0).keep(&[inherited, foreign]).unwrap();
        let kept = agent(&held, 1).take().unwrap();
        assert_eq!(kept.sockets.len(), 1, "only what it may bind");
        assert!(kept.shared, "the predecessor serves");
        held.set_served();
        assert!(!agent(&held, 2).take().unwrap().shared);
        assert_eq!(kept.sockets[0].local_addr().unwrap(), address);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn other_addresses_are_refused_and_the_kernel_s_error_is_passed_on() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let (taken_at, other) = (taken.local_addr().unwrap(), free_address());
        let free = free_address();
        let held = Arc::new(HeldSockets::new(vec![taken_at, free]));
        let asking = agent(&held, 0);
        let bound = asking.bind(&[free, taken_at, other]).unwrap();
        assert_eq!(bound.sockets.len(), 1);
        let again = asking.bind(&[free]).unwrap();
        assert!(again.failed.is_empty() && again.sockets.len() == 1, "it asks again");
        let errors: Vec<_> = bound.failed.iter().map(|(_, error)| error.to_string()).collect();
        assert!(errors[0].contains("stop the process that uses this one"), "{errors:?}");
        assert!(errors[1].contains("podrole-node run` the same --bind-hosts"), "{errors:?}");
    }
}
