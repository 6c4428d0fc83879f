//! A GET by hand, so that a test sees the answer as it came.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The status and the body of `GET path`; `authorization` is sent as it is.
pub(crate) async fn get(
    address: SocketAddr,
    path: &str,
    authorization: Option<&str>,
) -> anyhow::Result<(u16, String)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut request = Request::get(path).header("host", address.to_string());
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}
