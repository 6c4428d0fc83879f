//! Connections that say nothing, and one client that wants its credentials.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use podrole_bench_flood::{Flood, sources};
use podrole_tests::wait;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, interval, sleep, timeout},
};

use crate::{
    raw::{head, read, send, send_on},
    world::World,
};

const CHILD: &str = "PODROLE_TEST_IDLE";
const CONNECTIONS: usize = 10_000;
const PER_ADDRESS: usize = 100;
const WORKERS: usize = 1000;
const IDLE: Duration = Duration::from_secs(3);
/// What the SDKs for Ruby, C++ and PHP wait for an answer.
const SDK: Duration = Duration::from_secs(1);

/// So many files may be open in a process of its own alone.
#[tokio::test]
async fn ten_thousand_idle_connections_lock_no_client_out() {
    child("idle::child_process_locks_no_client_out", "all are closed").await;
}

#[tokio::test]
async fn a_thousand_workers_of_one_pod_are_served() {
    child("idle::child_process_serves_a_thousand_workers", "all workers are served").await;
}

#[tokio::test]
async fn silent_and_hurried_connections_of_other_pods_delay_no_client() {
    child("idle::child_process_delays_no_client", "all are answered").await;
}

async fn child(test: &str, end: &str) {
    let child = tokio::process::Command::new("sh")
        .args(["-c", r#"ulimit -n 16384 && exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .output();
    let output = child.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error_output = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains(end), "{text} {error_output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_process_locks_no_client_out() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let world = World::start();
    // Each address of loopback counts as a pod's here.
    let (address, _open) = world
        .listen(|limits| {
            limits.idle = IDLE;
            limits.machine_is_one_peer = false;
        })
        .await;
    let request = head(&world.token(3600), "connection: close\r\n");
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        idle.push(connect(number / PER_ADDRESS, address).await);
    }
    answered(address, &request).await;
    // The address with the most connections loses its own; no other address loses one for it.
    let mut one = Vec::new();
    for _ in 0..200 {
        one.push(connect(200, address).await);
    }
    let answers = send_on(connect(200, address).await, request.as_bytes()).await;
    assert_eq!(read(&answers).0, 200, "{answers}");
    answered(address, &request).await;
    let begun = Instant::now();
    for mut stream in idle {
        let read = timeout(IDLE * 4, stream.read(&mut [0; 1])).await.unwrap();
        assert!(!matches!(read, Ok(more) if more > 0), "an idle connection received data");
    }
    println!("all are closed after {:?}", begun.elapsed());
}

/// PHP-FPM, or a pod that starts: each worker has a client of its own, and asks at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_process_serves_a_thousand_workers() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let world = World::start();
    let (address, _open) = world.listen(|_| ()).await;
    let request: Arc<str> = head(&world.token(3600), "connection: close\r\n").into();
    for _ in 0..3 {
        let streams = (0..WORKERS).map(|_| connect(0, address));
        let streams = futures::future::join_all(streams).await;
        let workers: JoinSet<String> = streams
            .into_iter()
            .map(|stream| {
                let request = Arc::clone(&request);
                async move { send_on(stream, request.as_bytes()).await }
            })
            .collect();
        let begun = Instant::now();
        for answers in workers.join_all().await {
            assert_eq!(read(&answers).0, 200, "{answers}");
        }
        println!("{WORKERS} workers are served within {:?}", begun.elapsed());
    }
    println!("all workers are served");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_process_delays_no_client() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    wait::one_of_three(two_hundred_are_answered).await.unwrap();
    println!("all are answered");
}

/// 2,000 silent connections of 20 addresses, and 30 addresses that renew 128 each every 0.8 s.
async fn two_hundred_are_answered() -> anyhow::Result<()> {
    let world = World::start();
    let (address, _open) = world.listen(|limits| limits.machine_is_one_peer = false).await;
    let request = head(&world.token(3600), "connection: close\r\n");
    let sources = sources(50);
    let (silent, hurried) = sources.split_at(20);
    let silent = Flood::start(address, silent, 2000, Duration::from_secs(10))?;
    silent.until_opened(2000).await?;
    let hurried = Flood::start(address, hurried, 30 * 128, Duration::from_millis(800))?;
    hurried.until_opened(30 * 128).await?;
    let (mut ticks, mut slowest) = (interval(Duration::from_millis(15)), Duration::ZERO);
    for number in 0..200 {
        ticks.tick().await;
        let begun = Instant::now();
        let answers = timeout(SDK, send(address, request.as_bytes())).await;
        let answers = answers.with_context(|| format!("request {number} took over 1 s"))?;
        anyhow::ensure!(read(&answers).0 == 200, "request {number}: {answers}");
        slowest = slowest.max(begun.elapsed());
    }
    println!("{slowest:?} at most");
    Ok(())
}

/// A pod on the node's network may bind any address of loopback, so all of them are one client.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_own_addresses_share_the_limit_of_one() {
    let world = World::start();
    let (address, _open) = world.listen(|limits| limits.connections_per_peer = 128).await;
    let once = Duration::from_secs(600);
    let flood = Flood::start(address, &sources(10), 500, once).unwrap();
    flood.until_opened(500).await.unwrap();
    sleep(Duration::from_millis(500)).await;
    assert!((100..=128).contains(&flood.open()), "{} are open", flood.open());
    let request = head(&world.token(3600), "connection: close\r\n");
    answered(address, &request).await;
}

/// A connection from the address of this number: 127.0.1.1 and on.
async fn connect(number: usize, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let last = u8::try_from(number % 250 + 1).unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 1, last), 0).into()).unwrap();
    timeout(Duration::from_secs(5), socket.connect(to)).await.unwrap().unwrap()
}

async fn answered(address: SocketAddr, request: &str) {
    let answers = send(address, request.as_bytes()).await;
    assert_eq!(read(&answers).0, 200, "{answers}");
}
