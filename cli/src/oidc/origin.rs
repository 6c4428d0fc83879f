//! Where published documents are read: at the issuer's URL as AWS does, or in the target.

use std::sync::Arc;

use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use jiff::{Timestamp, fmt::rfc2822};
use podrole_agent::{
    exchange::{EndpointError, Failure},
    http_client::{self, HttpClients},
};

use super::{
    documents::Document,
    issuer_url::IssuerUrl,
    publish,
    target::{Place, Target},
};

/// Where documents are read.
pub(crate) enum Origin {
    /// A folder or a bucket.
    Target(Box<Target>),
    /// The issuer's URL.
    Web(Connector),
}

/// An answer.
pub(crate) struct Fetched {
    /// `None` if there is none at this URL.
    pub(crate) document: Option<Document>,
    /// The time by the clock of the server.
    pub(crate) date: Option<Timestamp>,
}

/// Why a document could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchError {
    pub(crate) message: String,
    /// Whether the certificate is of a CA that this machine does not trust.
    pub(crate) is_untrusted: bool,
}

impl Origin {
    /// The target if one is given, else the issuer's URL, by a proxy perhaps.
    ///
    /// # Errors
    /// If the target or the proxy cannot be used.
    pub(crate) async fn open(
        place: Option<&Place>,
        endpoint_url: Option<&str>,
        proxy: Option<&str>,
    ) -> anyhow::Result<Self> {
        if let Some(place) = place {
            return Ok(Self::Target(Box::new(publish::open(place, endpoint_url).await?)));
        }
        anyhow::ensure!(endpoint_url.is_none(), "--endpoint-url needs --published s3://...");
        let clients = HttpClients::default();
        Ok(Self::Web(match proxy {
            Some(proxy) => clients
                .connector_by(proxy)
                .ok_or_else(|| anyhow::anyhow!("--from-outside is not the URL of a proxy"))?,
            None => clients.connector(),
        }))
    }

    /// Reads a document by its URL, which is below the issuer if it is read in a target.
    ///
    /// # Errors
    /// If it is not known whether there is one.
    pub(crate) async fn fetch(&self, issuer: &IssuerUrl, url: &str) -> Result<Fetched, FetchError> {
        let failed = |message: String| FetchError { message, is_untrusted: false };
        match self {
            Self::Target(target) => {
                let path = issuer.path_below(url).ok_or_else(|| {
                    failed(format!("{url} is not below the issuer, so no file of the target is it"))
                })?;
                let document =
                    target.read(path).await.map_err(|error| failed(error.to_string()))?;
                Ok(Fetched { document, date: None })
            }
            Self::Web(connector) => fetch(connector, url).await,
        }
    }
}

async fn fetch(connector: &Connector, url: &str) -> Result<Fetched, FetchError> {
    let failed = |message: String| FetchError { message, is_untrusted: false };
    // A published document may name any URL.
    if !url.starts_with("https://") {
        return Err(failed(format!("{url} is not https, and AWS reads keys by https only")));
    }
    let request = HttpRequest::get(url).map_err(|error| failed(format!("{url}: {error}")))?;
    let answer = http_client::send(connector, request).await.map_err(|what| {
        let endpoint: Arc<str> = url.into();
        let message = EndpointError::new(&endpoint, what).to_string();
        FetchError { message, is_untrusted: what.0 == Failure::UntrustedCertificate }
    })?;
    let date = answer.date.as_deref().and_then(|date| rfc2822::parse(date).ok());
    let date = date.map(|date| date.timestamp());
    match answer.status {
        200 => {
            let kind = answer.content_type.as_deref().unwrap_or_default();
            let is_json =
                Some(kind.split(';').next().unwrap_or_default().trim() == "application/json");
            Ok(Fetched { document: Some(Document { body: answer.body, is_json }), date })
        }
        // A public bucket answers 403 for what is not there.
        403 | 404 => Ok(Fetched { document: None, date }),
        status => Err(failed(format!("{url} answers with status {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::{super::issuer_url::TrailingSlash, *};

    #[tokio::test]
    async fn the_issuer_is_read_by_the_proxy_outside() {
        podrole_runtime::crypto::install();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 64];
            let count = stream.read(&mut head).await.unwrap();
            stream
                .write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
                .await
                .unwrap();
            String::from_utf8_lossy(&head[..count]).into_owned()
        });
        let origin = Origin::open(None, None, Some(&proxy)).await.unwrap();
        let issuer = IssuerUrl::read("https://oidc.example", TrailingSlash::Refused).unwrap();
        let error = origin.fetch(&issuer, "https://oidc.example/a").await.err().unwrap();
        assert!(error.message.contains("the proxy does not connect"), "{}", error.message);
        let head = asked.await.unwrap();
        assert!(head.starts_with("CONNECT oidc.example:443 HTTP/1.1\r\n"), "{head}");
    }

    #[tokio::test]
    async fn only_https_is_read() {
        let origin = Origin::open(None, None, None).await.unwrap();
        let issuer = IssuerUrl::read("https://oidc.example", TrailingSlash::Refused).unwrap();
        let error = origin.fetch(&issuer, "http://169.254.169.254/").await.err().unwrap();
        assert!(error.message.contains("is not https"), "{}", error.message);
    }
}
