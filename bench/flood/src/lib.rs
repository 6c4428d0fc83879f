//! Many connections that send nothing, from addresses of loopback, as a hostile pod opens them.
//!
//! They are made by system calls from a thread of their own: what opens them must not take the CPU
//! time that the program under attack needs.

#![forbid(unsafe_code)]

pub mod bodies;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Context as _;
use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind, connect, recv, socket_with,
        sockopt::set_socket_reuseaddr,
    },
};
use tokio::time::{Instant, sleep};

/// How long opening all connections may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections that are kept open by a thread of their own. They end when this is dropped.
#[derive(Debug)]
pub struct Flood {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    stop: AtomicBool,
    opened: AtomicUsize,
    sockets: Mutex<Vec<Option<OwnedFd>>>,
}

impl Flood {
    /// Opens `connections` to `target` at once, evenly from `sources`, and each again in every
    /// interval, spread over it.
    ///
    /// # Errors
    /// If the thread cannot start.
    pub fn start(
        target: SocketAddr,
        sources: &[IpAddr],
        connections: usize,
        interval: Duration,
    ) -> anyhow::Result<Self> {
        podrole_runtime::open_files::raise_limit();
        let sources: Vec<_> = sources.iter().copied().cycle().take(connections).collect();
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let name = "flood".to_owned();
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || run(target, &sources, interval, &shared))
            .context("cannot start a thread")?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// How many connections the other side has not closed.
    #[must_use]
    pub fn open(&self) -> usize {
        let sockets = self.state.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = |socket: &&OwnedFd| {
            let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            matches!(recv(socket, &mut [0_u8; 1], flags), Err(Errno::AGAIN))
        };
        sockets.iter().flatten().filter(silent).count()
    }

    /// Waits until so many connections were opened.
    ///
    /// # Errors
    /// If that takes longer than half a minute.
    pub async fn until_opened(&self, connections: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.state.opened.load(SeqCst) < connections {
            anyhow::ensure!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for the flood");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.state.stop.store(true, SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// So many addresses of loopback, none of which is 127.0.0.1.
#[must_use]
pub fn sources(count: u8) -> Vec<IpAddr> {
    (1..=count).map(|last| Ipv4Addr::new(127, 0, 1, last).into()).collect()
}

fn run(target: SocketAddr, sources: &[IpAddr], interval: Duration, state: &State) {
    let begun = Instant::now();
    let whole = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let pause = interval / whole(sources.len()).max(1);
    for round in 0.. {
        for (number, source) in sources.iter().enumerate() {
            // All at once at first, and then one after another.
            let due = interval.saturating_mul(round) + pause * whole(number);
            while round > 0 && begun.elapsed() < due {
                if state.stop.load(SeqCst) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            let opened = open(target, *source).ok();
            state.opened.fetch_add(usize::from(opened.is_some()), SeqCst);
            let mut sockets = state.sockets.lock().unwrap_or_else(PoisonError::into_inner);
            if round == 0 {
                sockets.push(opened);
            } else if let Some(place) = sockets.get_mut(number) {
                *place = opened;
            }
        }
    }
}

fn open(target: SocketAddr, source: IpAddr) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    // Otherwise the next program may not get a port that one of these connections had.
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddr::new(source, 0))?;
    match connect(&socket, &target) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}
