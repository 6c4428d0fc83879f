//! A request byte by byte, and all that comes back.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// All answers on one connection, until the other side closes it or says nothing for 5 s.
pub(crate) async fn send(address: SocketAddr, request: &[u8]) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    send_on(stream, request).await
}

pub(crate) async fn send_on(mut stream: TcpStream, request: &[u8]) -> String {
    // A client that is refused early may be reset while it sends.
    let _ = stream.write_all(request).await;
    let mut answers = Vec::new();
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answers)).await;
    String::from_utf8_lossy(&answers).into_owned()
}

/// The head that an SDK sends, with more lines before its end.
pub(crate) fn head(token: &str, more: &str) -> String {
    format!(
        "GET /v1/credentials HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: {token}\r\n{more}\r\n"
    )
}

/// The first answer's status, and its JSON if it has some.
pub(crate) fn read(answers: &str) -> (u16, Value) {
    let status = answers.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = answers.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_default())
}
