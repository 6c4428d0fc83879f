//! 10,000 connections that say nothing, and one client that wants its credentials.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt as _,
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

use crate::{
    raw::{head, read, send, send_on},
    world::World,
};

const CHILD: &str = "PODROLE_TEST_IDLE";
const CONNECTIONS: usize = 10_000;
/// As many as one address may have, less some.
const PER_ADDRESS: usize = 100;
const IDLE: Duration = Duration::from_secs(3);

/// So many files may be open in a process of its own alone.
#[tokio::test]
async fn ten_thousand_idle_connections_lock_no_client_out() {
    let child = tokio::process::Command::new("sh")
        .args(["-c", r#"ulimit -n 16384 && exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "idle::child_process_locks_no_client_out", "--nocapture"])
        .env(CHILD, "1")
        .output();
    let output = child.await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error_output = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("all are closed"), "{text} {error_output}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_process_locks_no_client_out() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let world = World::start();
    let (address, _open) = world.listen(|limits| limits.idle = IDLE).await;
    let request = head(&world.token(3600), "connection: close\r\n");
    let mut idle = Vec::with_capacity(CONNECTIONS);
    for number in 0..CONNECTIONS {
        idle.push(connect(number / PER_ADDRESS, address).await);
    }
    answered(address, &request).await;
    // An address with too many connections is refused at once; no other address loses one for it.
    let mut one = Vec::new();
    for _ in 0..128 {
        one.push(connect(200, address).await);
    }
    assert_eq!(send_on(connect(200, address).await, request.as_bytes()).await, "");
    answered(address, &request).await;
    let begun = Instant::now();
    for mut stream in idle {
        let read = timeout(IDLE * 4, stream.read(&mut [0; 1])).await.unwrap();
        assert!(!matches!(read, Ok(more) if more > 0), "an idle connection received data");
    }
    println!("all are closed after {:?}", begun.elapsed());
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
