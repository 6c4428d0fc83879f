use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::{Router, routing::get};
use podrole_runtime::serve::{Limits, Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::{JoinSet, spawn_blocking},
    time::{Instant, interval},
};
use tokio_util::sync::CancellationToken;

use super::*;

async fn take(path: &Path) -> Vec<TcpListener> {
    let path = path.to_owned();
    spawn_blocking(move || inherit(&path)).await.unwrap()
}

fn listening() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[tokio::test]
async fn without_a_predecessor_no_socket_is_inherited() {
    let dir = tempfile::tempdir().unwrap();
    assert!(take(&dir.path().join("none")).await.is_empty());
    let dead = dir.path().join("dead");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    assert!(take(&dead).await.is_empty());
    // The socket file of a dead predecessor is replaced.
    offer(&dead, vec![listening()]).unwrap();
    assert_eq!(take(&dead).await.len(), 1);
    let nowhere = offer(Path::new("/nonexistent/socket"), Vec::new()).unwrap_err();
    let nowhere = nowhere.to_string();
    assert!(nowhere.contains("--handover /nonexistent/socket"), "{nowhere}");
}

#[tokio::test]
async fn the_sockets_are_the_same_and_only_the_owner_may_connect() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("handover");
    let (one, two) = (listening(), listening());
    let addresses = [one.local_addr().unwrap(), two.local_addr().unwrap()];
    offer(&path, vec![one, two]).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let taken = take(&path).await;
    let taken: Vec<_> = taken.iter().map(|one| one.local_addr().unwrap()).collect();
    assert_eq!(taken, addresses);
}

#[tokio::test]
async fn only_listening_sockets_are_inherited() {
    let connected = {
        let listener = listening();
        std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    };
    assert!(super::listener(OwnedFd::from(connected)).is_none());
    assert!(super::listener(OwnedFd::from(std::fs::File::open("/dev/null").unwrap())).is_none());
}

/// Opens a connection each millisecond while three successors take over one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_handovers_under_1000_connections_a_second_lose_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("handover");
    let router = || Router::new().route("/", get(|| async { "hello" }));
    let first = Server::bind("127.0.0.1:0".parse().unwrap(), Limits::default()).await.unwrap();
    let address = first.address();
    offer(&path, vec![first.share().unwrap()]).unwrap();
    let mut end = CancellationToken::new();
    let mut running = tokio::spawn(first.run(router(), end.clone()));

    let (stop, failed) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let load = tokio::spawn(load(address, stop.clone(), Arc::clone(&failed)));
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let inherited = take(&path).await.pop().unwrap();
        let next = Server::take_over(inherited, Limits::default()).unwrap();
        assert_eq!(next.address(), address);
        offer(&path, vec![next.share().unwrap()]).unwrap();
        let (theirs, before) = (CancellationToken::new(), end);
        let successor = tokio::spawn(next.run(router(), theirs.clone()));
        before.cancel();
        running.await.unwrap();
        (end, running) = (theirs, successor);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.cancel();
    let sent = load.await.unwrap();
    assert_eq!(failed.load(SeqCst), 0, "of {sent}");
    assert!(sent > 300, "{sent}");
}

async fn load(
    address: std::net::SocketAddr,
    stop: CancellationToken,
    failed: Arc<AtomicUsize>,
) -> usize {
    let (mut tick, mut sent, mut asking) = (interval(Duration::from_millis(1)), 0, JoinSet::new());
    let begun = Instant::now();
    while !stop.is_cancelled() && begun.elapsed() < Duration::from_secs(30) {
        tick.tick().await;
        sent += 1;
        let failed = Arc::clone(&failed);
        asking.spawn(async move {
            if ask(address).await.is_none_or(|answer| !answer.ends_with("hello")) {
                failed.fetch_add(1, SeqCst);
            }
        });
    }
    asking.join_all().await;
    sent
}

async fn ask(address: std::net::SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}
