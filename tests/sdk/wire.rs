//! The agent's answers, byte for byte: what no SDK shows, and any SDK may trip over.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

use crate::{
    gate::Fault,
    stage::{ACCOUNT, APP, Stage},
};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) took: Duration,
    head: String,
    body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Asks as an SDK does.
pub(crate) async fn get(address: SocketAddr, token: &str) -> anyhow::Result<Answer> {
    let request =
        format!("GET /v1/credentials HTTP/1.1\r\nhost: {address}\r\nauthorization: {token}\r\n");
    send(address, &format!("{request}connection: close\r\n\r\n")).await
}

async fn send(address: SocketAddr, request: &str) -> anyhow::Result<Answer> {
    let started = Instant::now();
    let text = raw(address, request).await?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.as_str(), ""));
    let status = head.get(9..12).unwrap_or_default().parse()?;
    let took = started.elapsed();
    Ok(Answer { status, took, head: head.to_lowercase(), body: body.to_owned() })
}

/// All that comes back until the other side closes.
async fn raw(address: SocketAddr, request: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    let read = stream.read_to_string(&mut text);
    tokio::time::timeout(Duration::from_secs(10), read).await??;
    Ok(text)
}

/// No SDK stumbles over such a refusal.
fn is_plain(answer: &Answer) {
    let json = answer.json();
    for (lower, upper) in [("code", "Code"), ("message", "Message")] {
        assert!(json[lower].is_string() && json[lower] == json[upper], "{answer:?}");
    }
    assert!(answer.head.contains("\r\ncontent-type: application/json\r\n"), "{answer:?}");
    assert!(!answer.head.contains("retry-after"), "{answer:?}");
    assert!(!(300..400).contains(&answer.status), "{answer:?}");
    assert_ne!(answer.status, 429, "{answer:?}");
}

#[tokio::test]
async fn a04_only_our_own_names_are_answered() {
    let stage = Stage::start().await.unwrap();
    let (token, port) = (stage.token(APP).unwrap(), stage.agent_address.port());
    let ask = async |host: &str| {
        let head = format!("GET /v1/credentials HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        send(stage.agent_address, &format!("{head}authorization: {token}\r\n\r\n")).await.unwrap()
    };
    for name in ["127.0.0.1", "localhost", "[::1]", "169.254.170.23", "[fd00:ec2::23]"] {
        assert_eq!(ask(name).await.status, 200, "{name}");
        assert_eq!(ask(&format!("{name}:{port}")).await.status, 200, "{name} with a port");
    }
    for name in ["evil.example.org", "169.254.170.23.example.org", "169.254.169.254", ""] {
        let answer = ask(name).await;
        assert_eq!(answer.status, 403, "{name}");
        is_plain(&answer);
    }
}

#[tokio::test]
async fn a05_the_token_comes_raw_or_as_a_bearer() {
    let stage = Stage::start().await.unwrap();
    let token = stage.token(APP).unwrap();
    for spelling in [token.clone(), format!("Bearer {token}")] {
        assert_eq!(get(stage.agent_address, &spelling).await.unwrap().status, 200);
    }
    for spelling in [format!("Basic {token}"), String::new(), "Bearer ".to_owned()] {
        let answer = get(stage.agent_address, &spelling).await.unwrap();
        assert_eq!(answer.status, 400);
        is_plain(&answer);
    }
}

#[tokio::test]
async fn a08_the_body_is_what_every_sdk_reads() {
    let stage = Stage::start().await.unwrap();
    let answer = get(stage.agent_address, &stage.token(APP).unwrap()).await.unwrap();
    assert!(answer.head.starts_with("http/1.1 200 ok\r\n"), "{answer:?}");
    assert!(answer.head.contains("\r\ncontent-type: application/json\r\n"), "{answer:?}");
    assert!(answer.head.contains("\r\ncache-control: no-store"), "{answer:?}");
    assert!(answer.body.len() < 10_000);
    let json = answer.json();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    let golden = format!(
        r#"{{"AccessKeyId":"{}","SecretAccessKey":"{}","Token":"{}","AccountId":"{ACCOUNT}","Expiration":"{}"}}"#,
        text("AccessKeyId"),
        text("SecretAccessKey"),
        text("Token"),
        text("Expiration"),
    );
    assert_eq!(answer.body, golden);
    // 2026-11-21T23:00:00Z, to the second; W8: an hour of life unless the request says otherwise.
    let ends = text("Expiration");
    assert_eq!((ends.len(), &ends[10..11], &ends[19..]), (20, "T", "Z"), "{ends}");
    let ends: jiff::Timestamp = ends.parse().unwrap();
    let left = ends.duration_since(podrole_runtime::clock::now()).as_secs();
    assert!((3590..=3600).contains(&left), "{left}");
}

#[tokio::test]
async fn a08_no_path_leads_elsewhere() {
    let stage = Stage::start().await.unwrap();
    let token = stage.token(APP).unwrap();
    for (path, status) in [
        ("/v1/credentials?a=b", 200),
        ("/v1/credentials/", 404),
        ("//v1/credentials", 404),
        ("/v1//credentials", 404),
        ("/V1/Credentials", 404),
        ("/v1/credentials%2f", 404),
        ("/v1/../v1/credentials", 404),
        ("/", 404),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n");
        let request = format!("{head}authorization: {token}\r\n\r\n");
        let answer = send(stage.agent_address, &request).await.unwrap();
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        if status != 200 {
            is_plain(&answer);
        }
    }
}

#[tokio::test]
async fn a20_a21_whatever_sts_says_the_answer_is_one_that_sdks_understand() {
    for (fault, status) in [
        (Fault::Answer(400, "Throttling"), 503),
        (Fault::Answer(429, "TooManyRequestsException"), 503),
        (Fault::Answer(400, "IDPCommunicationError"), 503),
        (Fault::Answer(500, "InternalFailure"), 503),
        (Fault::Answer(503, "ServiceUnavailable"), 503),
        (Fault::Answer(302, "Moved"), 503),
        (Fault::Answer(200, "Nonsense"), 503),
        (Fault::Stalled, 503),
        (Fault::Answer(403, "AccessDenied"), 403),
        (Fault::Answer(400, "InvalidIdentityToken"), 400),
        (Fault::Answer(400, "ExpiredTokenException"), 400),
        (Fault::Answer(400, "ValidationError"), 400),
    ] {
        let stage = Stage::start().await.unwrap();
        stage.sts.spoil_all(fault);
        let answer = get(stage.agent_address, &stage.token(APP).unwrap()).await.unwrap();
        assert_eq!(answer.status, status, "{fault:?}: {answer:?}");
        is_plain(&answer);
        assert!(!answer.body.contains("as the test wants it"), "STS's own words: {answer:?}");
    }
}

#[tokio::test]
async fn a26_odd_requests_are_answered_and_never_hang() {
    let stage = Stage::start().await.unwrap();
    let token = stage.token(APP).unwrap();
    let rest = format!("host: 127.0.0.1\r\nauthorization: {token}\r\n");
    let last = format!("{rest}connection: close\r\n");
    let path = "/v1/credentials";
    let long = format!("x-padding: {}\r\n", "x".repeat(14_000));
    let longer = format!("x-padding: {}\r\n", "x".repeat(60_000));
    let chunks = "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";
    for (request, status) in [
        (format!("HEAD {path} HTTP/1.1\r\n{last}\r\n"), 200),
        (format!("POST {path} HTTP/1.1\r\n{last}content-length: 2\r\n\r\n{{}}"), 405),
        (format!("DELETE {path} HTTP/1.1\r\n{last}\r\n"), 405),
        (format!("GET {path} HTTP/1.0\r\n{rest}\r\n"), 200),
        (format!("GET {path} HTTP/1.1\r\n{last}{chunks}\r\n"), 200),
        (format!("GET {path} HTTP/1.1\r\n{long}{last}\r\n"), 200),
        (format!("GET {path} HTTP/1.1\r\n{longer}{last}\r\n"), 431),
    ] {
        let answer = send(stage.agent_address, &request).await.unwrap();
        assert_eq!(answer.status, status, "{} {answer:?}", &request[..20]);
        if status == 405 {
            assert!(answer.head.contains("\r\nallow: get, head"), "{answer:?}");
            is_plain(&answer);
        }
        assert!(!request.starts_with("HEAD") || answer.body.is_empty(), "{answer:?}");
    }
    let one = format!("GET {path} HTTP/1.1\r\n{rest}\r\n");
    let pipelined = format!("{one}{one}GET {path} HTTP/1.1\r\n{last}\r\n");
    let answers = raw(stage.agent_address, &pipelined).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
}
