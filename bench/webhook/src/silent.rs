//! Silent neighbours: connections that never send a byte, and reviews beside them.

use std::{net::SocketAddr, path::Path, thread::JoinHandle, time::Duration};

use podrole_runtime::open_files;
use tokio::{
    net::TcpSocket,
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

use crate::{
    api_server::ApiServer, burst, load::Caller, program::Program, reviews::Review, table::Table,
};

const CONNECTIONS: u32 = 4000;
/// How often each is opened again, in case it was closed.
const RENEWED: Duration = Duration::from_secs(4);
const REVIEWS: u32 = 200;
/// As long as an API server waits by default in our configuration.
const PATIENCE: Duration = Duration::from_secs(3);

/// Adds a webhook's lines: how many reviews were answered, and how soon.
pub(crate) async fn run(binary: &Path, flags: &[String], table: &mut Table) -> anyhow::Result<()> {
    open_files::raise_limit();
    for addresses in [1, 50] {
        let api_server = ApiServer::start(1000).await?;
        let mut program = Program::start(binary, flags, &api_server)?;
        burst::until_injected(&mut program, 1000).await?;
        let mut kept = Caller::connect(&program).await?;
        let _flood = Flood::start(program.address, addresses)?;
        sleep(Duration::from_secs(1)).await;
        let (mut new, mut on_kept) = (Times::default(), Times::default());
        for _ in 0..REVIEWS {
            let review = async {
                Caller::connect(&program).await?.review(Review::OneContainer.body()).await
            };
            new.add(review).await;
            on_kept.add(kept.review(Review::OneContainer.body())).await;
        }
        let silent = format!("{CONNECTIONS} silent connections of {addresses} addresses");
        new.add_to(table, &format!("{silent}, new connection"));
        on_kept.add_to(table, &format!("{silent}, kept connection"));
    }
    Ok(())
}

#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    async fn add(&mut self, review: impl Future<Output = anyhow::Result<bool>>) {
        let begun = Instant::now();
        if matches!(timeout(PATIENCE, review).await, Ok(Ok(true))) {
            self.0.push(begun.elapsed());
        }
    }

    fn add_to(mut self, table: &mut Table, what: &str) {
        self.0.sort_unstable();
        let answered = u32::try_from(self.0.len()).unwrap_or_default();
        table.add(&format!("{what}: answered of {REVIEWS}"), "", f64::from(answered));
        for (name, percent) in [("p50", 50), ("p99", 99)] {
            let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
            let time = self.0.get(place).copied().unwrap_or(PATIENCE);
            table.add(&format!("{what}: {name}"), "ms", time.as_secs_f64() * 1000.0);
        }
    }
}

/// The connections, in a thread of their own.
struct Flood {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    fn start(target: SocketAddr, addresses: u32) -> anyhow::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                for number in 0..CONNECTIONS {
                    tokio::spawn(keep(target, number, addresses));
                }
                let _: Result<(), _> = stopped.await;
            });
        });
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn keep(target: SocketAddr, number: u32, addresses: u32) {
    let [.., last] = (1 + number % addresses).to_be_bytes();
    let mut delay = RENEWED * number / CONNECTIONS;
    loop {
        let connected = async {
            let socket = TcpSocket::new_v4()?;
            // Otherwise the next webhook may not get a port that one of these connections had.
            socket.set_reuseaddr(true)?;
            socket.bind(([127, 0, 1, last], 0).into())?;
            socket.connect(target).await
        };
        let _stream = timeout(RENEWED, connected).await;
        sleep(RENEWED + std::mem::take(&mut delay)).await;
    }
}
