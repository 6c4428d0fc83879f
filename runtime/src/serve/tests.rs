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

/// `/` answers at once, `/slow` after half a second.
fn slow_router() -> Router {
    Router::new().route("/", get(|| async { "hello" })).route(
        "/slow",
        get(|| async {
            sleep(Duration::from_millis(500)).await;
            "slow"
        }),
    )
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_error_of_a_port_in_use_says_how_to_fix_it() {
    let first = Server::bind(LOOPBACK.parse().unwrap(), Limits::default()).await.unwrap();
    let Err(error) = Server::bind(first.address(), Limits::default()).await else {
        panic!("the port was bound twice");
    };
    assert!(error.to_string().contains("choose another port"), "{error}");
}

#[tokio::test]
async fn a_handler_gets_the_address_of_the_client() {
    let router = Router::new()
        .route("/", get(|Extension(Peer(peer)): Extension<Peer>| async move { peer.to_string() }));
    let (address, _, _) = start(Limits::default(), router).await;
    let answer = ask(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.contains("127.0.0.1:"), "{answer}");
}

#[tokio::test]
async fn a_connection_with_an_unfinished_head_is_closed() {
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let (address, _, _) = start(limits, Router::new()).await;
    let closed = timeout(Duration::from_secs(5), ask(address, "GET / HTTP/1.1\r\nhost:")).await;
    assert!(closed.is_ok(), "the connection stayed open");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let limits = Limits { idle: Duration::from_millis(50), ..Limits::default() };
    let (address, _shutdown, _running) = start(limits, Router::new()).await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut nothing = [0; 1];
    let closed = timeout(Duration::from_secs(5), silent.read(&mut nothing)).await;
    assert_eq!(closed.unwrap().unwrap(), 0, "the connection stayed open");
}

#[tokio::test]
async fn a_head_over_the_limit_is_rejected() {
    let limits = Limits { head_bytes: 8192, ..Limits::default() };
    let (address, _, _) = start(limits, Router::new()).await;
    let request = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "a".repeat(9000));
    assert!(ask(address, &request).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_shutdown_waits_for_requests_in_flight() {
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
async fn an_address_at_its_limit_loses_its_own_silent_connection() {
    let limits = Limits { connections_per_peer: 2, ..Limits::default() };
    let router = Router::new().route("/", get(|| async { "hello" }));
    let (address, _shutdown, _running) = start(limits, router).await;
    let mut one = TcpStream::connect(address).await.unwrap();
    let mut two = TcpStream::connect(address).await.unwrap();
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(ask(address, request).await.ends_with("hello"));
    let closed = timeout(Duration::from_secs(5), one.read(&mut [0; 1])).await;
    assert!(!matches!(closed.unwrap(), Ok(1..)), "the oldest received data");
    two.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    two.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_silent_connection_is_closed_before_an_older_one_that_has_sent_a_byte() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let router = Router::new().route("/", get(|| async { "hello" }));
    let (address, _shutdown, _running) = start(limits, router).await;
    let (request, pause) = ("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", 50);
    let pause = || sleep(Duration::from_millis(pause));
    let mut begun = TcpStream::connect(address).await.unwrap();
    begun.write_all(&request.as_bytes()[..10]).await.unwrap();
    pause().await;
    let _silent = TcpStream::connect(address).await.unwrap();
    pause().await;
    assert!(ask(address, request).await.ends_with("hello"));
    begun.write_all(&request.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    begun.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn a_head_that_arrives_too_slowly_is_closed_and_a_quiet_connection_is_not() {
    let limits = Limits { head: Duration::from_millis(100), ..Limits::default() };
    let router = Router::new().route("/", get(|| async { "hello" }));
    let (address, _shutdown, _running) = start(limits, router).await;
    let mut kept = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        kept.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(kept.read(&mut [0; 512]).await.unwrap() > 0);
        sleep(Duration::from_millis(300)).await;
    }
    let begun = Instant::now();
    kept.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let closed = timeout(Duration::from_secs(5), kept.read(&mut [0; 1])).await;
    assert_eq!(closed.unwrap().unwrap(), 0, "the connection stayed open");
    assert!(begun.elapsed() >= Duration::from_millis(95), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_handler_learns_when_the_first_byte_of_a_request_came() {
    let age = |Extension(Began(began)): Extension<Began>, body: String| async move {
        format!("{} {}", body.len(), began.elapsed() >= Duration::from_millis(200))
    };
    let router = Router::new().route("/", axum::routing::post(age));
    let (address, _shutdown, _running) = start(Limits::default(), router).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n").await.unwrap();
    sleep(Duration::from_millis(210)).await;
    stream.write_all(b"content-length: 3\r\n\r\nabc").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("3 true"), "{answer}");
}

#[tokio::test]
async fn a_body_is_given_up_when_the_memory_for_all_is_needed() {
    let limits = Limits { request_bytes: 256 * 1024, ..Limits::default() };
    let length = |body: axum::body::Bytes| async move { body.len().to_string() };
    let router = Router::new().route("/", axum::routing::post(length));
    let (address, _shutdown, _running) = start(limits, router).await;
    let head = |length: usize| {
        let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length:";
        format!("{head} {length}\r\n\r\n")
    };
    let mut large = TcpStream::connect(address).await.unwrap();
    large.write_all(head(200_000).as_bytes()).await.unwrap();
    large.write_all(&vec![b'a'; 199_999]).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let small = "a".repeat(100_000);
    let answer = ask(address, &format!("{}{small}", head(small.len()))).await;
    assert!(answer.ends_with("100000"), "{answer}");
    let closed = timeout(Duration::from_secs(5), large.read(&mut [0; 1])).await;
    assert!(!matches!(closed.unwrap(), Ok(1..)), "the larger one was answered");
}

#[tokio::test]
async fn a_connection_accepted_just_before_the_shutdown_is_answered() {
    let router = Router::new().route("/", get(|| async { "hello" }));
    let (address, shutdown, running) = start(Limits::default(), router).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The response to a second connection shows that the first was accepted.
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
async fn a_shared_socket_keeps_serving_when_the_first_server_ends() {
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
async fn at_the_limit_a_silent_connection_is_closed_first_and_a_busy_one_is_not() {
    let limits = Limits { connections: 3, ..Limits::default() };
    let (address, _shutdown, _running) = start(limits, slow_router()).await;
    let asked = tokio::spawn(async move {
        ask(address, "GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await
    });
    sleep(Duration::from_millis(20)).await;
    let mut kept = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    kept.write_all(request).await.unwrap();
    assert!(kept.read(&mut [0; 512]).await.unwrap() > 0);
    let mut silent = TcpStream::connect(address).await.unwrap();
    let answer = ask(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
    let closed = timeout(Duration::from_secs(5), silent.read(&mut [0; 1])).await;
    assert!(!matches!(closed.unwrap(), Ok(1..)), "the silent one received data");
    kept.write_all(request).await.unwrap();
    assert!(kept.read(&mut [0; 512]).await.unwrap() > 0, "it had an answered request");
    assert!(asked.await.unwrap().ends_with("slow"), "it was busy");
}

#[tokio::test]
async fn a_later_request_at_work_is_known_when_a_connection_must_be_closed() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let (address, _shutdown, _running) = start(limits, slow_router()).await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut busy = TcpStream::connect(address).await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    for stream in [&mut busy, &mut idle] {
        stream.write_all(request).await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
    }
    // Of connections that are both answered, the one that was quiet for longer is closed first.
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(20)).await;
    idle.write_all(request).await.unwrap();
    assert!(idle.read(&mut [0; 512]).await.unwrap() > 0);
    let answer = ask(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("hello"), "{answer}");
    assert!(busy.read(&mut [0; 512]).await.unwrap() > 0, "it was at work");
}
