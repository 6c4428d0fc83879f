//! The AWS account and region of the EC2 instance that this process runs on, for bare role names,
//! as in EKS's webhook. Nothing else here knows the instance metadata service.

use std::time::Duration;

use axum::http::{HeaderName, Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use podrole_identity::AccountId;
use serde::Deserialize;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

const TOKEN_PATH: &str = "/latest/api/token";
const DOCUMENT_PATH: &str = "/latest/dynamic/instance-identity/document";
const TOKEN_LIFE: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
/// The deadline of one request. The service answers from the instance's own host, so a longer wait
/// means that it is not there, or that the hop limit of 1 keeps this pod from it.
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 3;
const PAUSE: Duration = Duration::from_millis(500);
const MAX_BYTES: usize = 64 * 1024;

/// Which account and region an instance belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstanceIdentity {
    pub(crate) aws_account: AccountId,
    pub(crate) region: String,
}

/// The account could not be read. Without it, no bare role name can become an ARN.
#[derive(Debug, thiserror::Error)]
#[error(
    "--compose-role-arn: could not read the AWS account from the instance metadata at {url}: \
     {error}; give --aws-account-id"
)]
pub(crate) struct ImdsError {
    url: String,
    error: RequestError,
}

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("the URL is not valid")]
    Url,
    #[error("the URL has no host")]
    Host,
    #[error("{0}")]
    Connect(std::io::Error),
    #[error("{0}")]
    Http(hyper::Error),
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("its answer was cut off or is longer than 64 KiB")]
    Body,
    #[error("its session token is not a header value")]
    Token,
    #[error("its identity document is not JSON with accountId and region")]
    Document,
    #[error("the accountId in its identity document is not 12 digits")]
    Account,
    #[error("it did not answer within 2 s")]
    TimedOut,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IdentityDocument {
    account_id: String,
    region: String,
}

/// Asks the metadata service at `url`, up to [`ATTEMPTS`] times: it may throttle, and on a node
/// that has just started its route may not be there yet.
pub(crate) async fn read(url: &str) -> Result<InstanceIdentity, ImdsError> {
    let mut attempt = 1;
    loop {
        match read_once(url).await {
            Ok(instance) => return Ok(instance),
            Err(error) if attempt == ATTEMPTS => {
                return Err(ImdsError { url: url.to_owned(), error });
            }
            Err(_) => attempt += 1,
        }
        sleep(PAUSE).await;
    }
}

/// Reads the identity document by IMDSv2: first a session token, then the document with it.
async fn read_once(url: &str) -> Result<InstanceIdentity, RequestError> {
    let url: Uri = url.parse().map_err(|_| RequestError::Url)?;
    let token = send(&url, Method::PUT, TOKEN_PATH, (TOKEN_LIFE, "60")).await?;
    let token = std::str::from_utf8(&token).map_err(|_| RequestError::Token)?.trim();
    let document = send(&url, Method::GET, DOCUMENT_PATH, (TOKEN, token)).await?;
    let document: IdentityDocument =
        serde_json::from_slice(&document).map_err(|_| RequestError::Document)?;
    let aws_account = document.account_id.parse().map_err(|_| RequestError::Account)?;
    Ok(InstanceIdentity { aws_account, region: document.region })
}

async fn send(
    url: &Uri,
    method: Method,
    path: &str,
    (name, value): (HeaderName, &str),
) -> Result<Bytes, RequestError> {
    let host = url.host().ok_or(RequestError::Host)?;
    let request = Request::builder().method(method).uri(path).header("host", host);
    let request = request.header(name, value).body(Empty::<Bytes>::new());
    let request = request.map_err(|_| RequestError::Token)?;
    let address = (host.trim_matches(['[', ']']), url.port_u16().unwrap_or(80));
    let answer = async {
        let stream = TcpStream::connect(address).await.map_err(RequestError::Connect)?;
        let connection = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connection.map_err(RequestError::Http)?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(RequestError::Http)?;
        if !answer.status().is_success() {
            return Err(RequestError::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
        Ok(body.map_err(|_| RequestError::Body)?.to_bytes())
    };
    timeout(TIMEOUT, answer).await.unwrap_or(Err(RequestError::TimedOut))
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        http::HeaderMap,
        routing::{get, put},
    };
    use tokio::net::TcpListener;

    use super::*;

    /// A metadata service that requires IMDSv2's session tokens.
    async fn service(document: &'static str) -> String {
        let token = |headers: HeaderMap| async move {
            let has_life = headers.contains_key(TOKEN_LIFE);
            if has_life { (StatusCode::OK, "t-1") } else { (StatusCode::BAD_REQUEST, "") }
        };
        let answer = move |headers: HeaderMap| async move {
            let known = headers.get(TOKEN).is_some_and(|token| token == "t-1");
            if known { (StatusCode::OK, document) } else { (StatusCode::UNAUTHORIZED, "") }
        };
        let routes = Router::new().route(TOKEN_PATH, put(token)).route(DOCUMENT_PATH, get(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        url
    }

    #[tokio::test]
    async fn account_and_region_come_from_the_identity_document() {
        let url = service(
            r#"{"accountId":"111122223333","region":"cn-north-1","instanceId":"i-1","x":[]}"#,
        )
        .await;
        let instance = read(&url).await.unwrap();
        assert_eq!(
            (instance.aws_account.as_str(), &*instance.region),
            ("111122223333", "cn-north-1")
        );
    }

    #[tokio::test]
    async fn an_error_names_the_url_and_the_flag_that_fixes_it() {
        for url in [service(r#"{"accountId":"1","region":"x"}"#).await, "http://127.0.0.1:1".into()]
        {
            let error = read(&url).await.unwrap_err().to_string();
            assert!(error.contains(&url) && error.ends_with("give --aws-account-id"), "{error}");
        }
    }
}
