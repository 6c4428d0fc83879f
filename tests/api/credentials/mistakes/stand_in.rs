//! An STS with one answer, for errors that the sandbox has no reason to give.

use std::time::Duration;

use podrole_runtime::clock::now;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Its URL. Each request gets this status and an error of STS with this code; its clock is ahead by this much.
pub(super) async fn sts(status: u16, code: &str, ahead: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let body = format!(
        "<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    );
    let answer = move || {
        let (length, date) = (body.len(), now() + ahead);
        let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT");
        format!(
            "HTTP/1.1 {status} No\r\ndate: {date}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer();
            tokio::spawn(async move {
                // A request of STS fits into it.
                let mut request = vec![0; 64 * 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}
