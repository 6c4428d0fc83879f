//! The account and the region of the EC2 instance that this runs on, for bare role names: what
//! EKS's webhook does, too. Nothing else here knows the instance metadata service.

use std::time::Duration;

use axum::http::{HeaderName, Method, Uri};
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
/// For each answer; the service is on the instance's own host.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 3;
const MAX_BYTES: usize = 64 * 1024;

/// Where we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) account: AccountId,
    pub(crate) region: String,
}

/// Why that cannot be known.
#[derive(Debug, thiserror::Error)]
#[error(
    "--compose-role-arn: the instance metadata at {url} does not tell the account ({error}); give \
     --aws-account-id"
)]
pub(crate) struct InstanceError {
    url: String,
    error: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    account_id: String,
    region: String,
}

/// Asks the metadata service at `url`, a few times.
pub(crate) async fn read(url: &str) -> Result<Instance, InstanceError> {
    let mut error = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            sleep(Duration::from_millis(500)).await;
        }
        match ask(url).await {
            Ok(instance) => return Ok(instance),
            Err(said) => error = said,
        }
    }
    Err(InstanceError { url: url.to_owned(), error })
}

/// By the newer protocol alone: first a token, then with it the document.
async fn ask(url: &str) -> Result<Instance, String> {
    let url: Uri = url.parse().map_err(|_| "that is no URL")?;
    let token = send(&url, Method::PUT, TOKEN_PATH, (TOKEN_LIFE, "60")).await?;
    let token = std::str::from_utf8(&token).map_err(|_| "the token is no text")?.trim();
    let document = send(&url, Method::GET, DOCUMENT_PATH, (TOKEN, token)).await?;
    let document: Document =
        serde_json::from_slice(&document).map_err(|_| "the identity document cannot be read")?;
    let account = document.account_id.parse().map_err(|_| "its account is none")?;
    Ok(Instance { account, region: document.region })
}

async fn send(
    url: &Uri,
    method: Method,
    path: &str,
    (name, value): (HeaderName, &str),
) -> Result<Bytes, String> {
    let host = url.host().ok_or("that URL has no host")?;
    let request = Request::builder().method(method).uri(path).header("host", host);
    let request = request.header(name, value).body(Empty::<Bytes>::new());
    let request = request.map_err(|_| "the token cannot be sent back")?;
    let address = (host.trim_matches(['[', ']']), url.port_u16().unwrap_or(80));
    let answer = async {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let connection = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = connection.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        if !answer.status().is_success() {
            return Err(format!("it answers {}", answer.status()));
        }
        let body = Limited::new(answer.into_body(), MAX_BYTES).collect().await;
        Ok(body.map_err(|_| "its answer did not arrive whole")?.to_bytes())
    };
    timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err("no answer within 2 s".to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::{
        Router,
        http::{HeaderMap, StatusCode},
        routing::{get, put},
    };
    use tokio::net::TcpListener;

    use super::*;

    /// A metadata service that insists on its tokens.
    async fn service(document: &'static str) -> String {
        let token = |headers: HeaderMap| async move {
            let asked = headers.contains_key(TOKEN_LIFE);
            if asked { (StatusCode::OK, "t-1") } else { (StatusCode::BAD_REQUEST, "") }
        };
        let told = move |headers: HeaderMap| async move {
            let known = headers.get(TOKEN).is_some_and(|token| token == "t-1");
            if known { (StatusCode::OK, document) } else { (StatusCode::UNAUTHORIZED, "") }
        };
        let routes = Router::new().route(TOKEN_PATH, put(token)).route(DOCUMENT_PATH, get(told));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        url
    }

    #[tokio::test]
    async fn account_and_region_are_the_instances() {
        let url = service(
            r#"{"accountId":"111122223333","region":"cn-north-1","instanceId":"i-1","x":[]}"#,
        )
        .await;
        let instance = read(&url).await.unwrap();
        assert_eq!((instance.account.as_str(), &*instance.region), ("111122223333", "cn-north-1"));
    }

    #[tokio::test]
    async fn what_is_no_metadata_service_names_the_mend() {
        for url in [service(r#"{"accountId":"1","region":"x"}"#).await, "http://127.0.0.1:1".into()]
        {
            let error = read(&url).await.unwrap_err().to_string();
            assert!(error.contains(&url) && error.ends_with("give --aws-account-id"), "{error}");
        }
    }
}
