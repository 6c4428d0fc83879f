//! A GET by hand, so that a test sees the answer as it came.

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

use crate::wait;

/// The status and the body of `GET path`; `authorization` is sent as it is.
///
/// # Errors
/// If the answer is not complete.
pub async fn get(
    address: SocketAddr,
    path: &str,
    authorization: Option<&str>,
) -> anyhow::Result<(u16, String)> {
    get_by(TcpStream::connect(address).await?, path, authorization).await
}

/// The same by a connection that there is.
///
/// # Errors
/// The same as [`get`].
pub async fn get_by(
    stream: TcpStream,
    path: &str,
    authorization: Option<&str>,
) -> anyhow::Result<(u16, String)> {
    let address = stream.peer_addr()?;
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

/// The status and the body of `GET path` by a client of this name, without a token.
///
/// # Errors
/// The same as [`get`].
pub async fn get_as(
    address: SocketAddr,
    path: &str,
    user_agent: &str,
) -> anyhow::Result<(u16, String)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header("host", address.to_string());
    let request = request.header("user-agent", user_agent).body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// The agent's answer to a request for credentials with this token.
///
/// # Errors
/// If it does not answer, or not in JSON.
pub async fn credentials(agent: SocketAddr, token: &str) -> anyhow::Result<(u16, Value)> {
    let (status, body) = get(agent, "/v1/credentials", Some(token)).await?;
    Ok((status, serde_json::from_str(&body)?))
}

/// The same from this address of the machine.
///
/// # Errors
/// The same as [`credentials`].
pub async fn credentials_from(
    from: &str,
    agent: SocketAddr,
    token: &str,
) -> anyhow::Result<(u16, Value)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from.parse()?, 0))?;
    let stream = socket.connect(agent).await?;
    let (status, body) = get_by(stream, "/v1/credentials", Some(token)).await?;
    Ok((status, serde_json::from_str(&body)?))
}

/// Asks until the answer has this status, and gives its body.
///
/// # Errors
/// If it is another one for as long as `patience`; the message has the last one.
pub async fn credentials_until(
    agent: SocketAddr,
    token: &str,
    wanted: u16,
    patience: Duration,
) -> anyhow::Result<Value> {
    wait::found(&format!("status {wanted}"), patience, async || {
        let (status, body) = credentials(agent, token).await?;
        anyhow::ensure!(status == wanted, "{status}: {body}");
        Ok(Some(body))
    })
    .await
}
