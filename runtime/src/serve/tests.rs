use super::*;
use axum::{Extension, Router, routing::get};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::Instant,
};

const LOOPBACK: &str = "127.0.0.1:0";

async fn start(limits: Limits, router: Router) -> (SocketAddr, CancellationToken, impl Future) {
    let server = Server::bind(LOOPBACK.parse().unwrap(), limits).await.unwrap();
    let (address, shutdown) = (server.address(), CancellationToken::new());
    let running = tokio::spawn(server.run(router, shutdown.clone()));
    (address, shutdown, running)
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_busy_port_names_the_mend() {
    let first = Server::bind(LOOPBACK.parse().unwrap(), Limits::default()).await.unwrap();
    let Err(error) = Server::bind(first.address(), Limits::default()).await else {
        panic!("the port was taken twice");
    };
    assert!(error.to_string().contains("choose another port"), "{error}");
}

#[tokio::test]
async fn a_request_knows_its_peer() {
    let router = Router::new()
        .route("/", get(|Extension(Peer(peer)): Extension<Peer>| async move { peer.to_string() }));
    let (address, _, _) = start(Limits::default(), router).await;
    let answer = ask(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("127.0.0.1:"), "{answer}");
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut() {
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let (address, _, _) = start(limits, Router::new()).await;
    let cut = timeout(Duration::from_secs(5), ask(address, "GET / HTTP/1.1\r\nhost:")).await;
    assert!(cut.is_ok(), "the connection was kept");
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_cut() {
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let (address, _shutdown, _running) = start(limits, Router::new()).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut nothing = [0; 1];
    let cut = timeout(Duration::from_secs(5), silent.read(&mut nothing)).await;
    assert_eq!(cut.unwrap().unwrap(), 0, "the connection was kept");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let limits = Limits { head_bytes: 8192, ..Limits::default() };
    let (address, _, _) = start(limits, Router::new()).await;
    let request = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "a".repeat(9000));
    assert!(ask(address, &request).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn what_is_in_flight_is_finished_at_the_end() {
    let router = Router::new().route(
        "/",
        get(|| async {
            sleep(Duration::from_millis(200)).await;
            "done"
        }),
    );
    let (address, shutdown, running) = start(Limits::default(), router).await;
    let asked =
        tokio::spawn(async move { ask(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await });
    sleep(Duration::from_millis(50)).await;
    shutdown.cancel();
    running.await;
    assert!(asked.await.unwrap().ends_with("done"));
    assert!(TcpStream::connect(address).await.is_err(), "the port is still open");
}

#[tokio::test]
async fn one_address_cannot_take_all_connections() {
    let limits = Limits { connections_per_peer: 2, ..Limits::default() };
    let router = Router::new().route("/", get(|| async { "hello" }));
    let (address, _shutdown, _running) = start(limits, router).await;
    let one = TcpStream::connect(address).await.unwrap();
    let two = TcpStream::connect(address).await.unwrap();
    let mut three = TcpStream::connect(address).await.unwrap();
    let mut answer = String::new();
    // Closed, or reset where the close was quicker than the reading.
    let _ = three.read_to_string(&mut answer).await;
    assert_eq!(answer, "");
    drop((one, two));
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut answer = String::new();
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.read_to_string(&mut answer).await;
        if answer.ends_with("hello") {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("a place that is free again is given");
}

#[tokio::test]
async fn who_was_accepted_just_before_the_end_is_answered() {
    let router = Router::new().route("/", get(|| async { "hello" }));
    let (address, shutdown, running) = start(Limits::default(), router).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Another's answer shows that the first was accepted.
    ask(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    shutdown.cancel();
    sleep(Duration::from_millis(50)).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("connection: close") && answer.ends_with("hello"), "{answer}");
    running.await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_shared_socket_goes_on_when_the_first_server_ends() {
    let router = || Router::new().route("/", get(|| async { "hello" }));
    let first = Server::bind(LOOPBACK.parse().unwrap(), Limits::default()).await.unwrap();
    let second = Server::take_over(first.share().unwrap(), Limits::default()).unwrap();
    let (address, end) = (first.address(), CancellationToken::new());
    assert_eq!(second.address(), address);
    let ending = tokio::spawn(first.run(router(), end.clone()));
    tokio::spawn(second.run(router(), CancellationToken::new()));
    end.cancel();
    ending.await.unwrap();
    let answer = ask(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn at_the_limit_who_rests_longest_makes_room_and_who_works_does_not() {
    let router = Router::new().route("/", get(|| async { "hello" })).route(
        "/slow",
        get(|| async {
            sleep(Duration::from_millis(1500)).await;
            "slow"
        }),
    );
    let limits = Limits { connections: 3, ..Limits::default() };
    let (address, _shutdown, _running) = start(limits, router).await;
    let asked = tokio::spawn(async move {
        ask(address, "GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await
    });
    let mut silent = TcpStream::connect(address).await.unwrap();
    sleep(Duration::from_millis(20)).await;
    let mut kept = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut answer = [0; 512];
    kept.write_all(request).await.unwrap();
    assert!(kept.read(&mut answer).await.unwrap() > 0);
    let begun = Instant::now();
    let answer = ask(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
    // It waited until somebody had rested for a second: who has just come is left alone.
    assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0, "it rested longest");
    kept.write_all(request).await.unwrap();
    assert!(kept.read(&mut [0; 512]).await.unwrap() > 0, "it rested for a shorter time");
    assert!(asked.await.unwrap().ends_with("slow"), "it worked");
}
