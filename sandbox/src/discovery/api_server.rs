//! A cluster's API server, which knows the cluster's issuer and its keys, and keeps what the sandbox must not forget.

use std::path::{Path, PathBuf};

use axum::body::Bytes;
use http::{Method, StatusCode};

use super::{documents::DocumentClient, error::DiscoveryError};
use crate::jwk::JwkSet;

/// How the API server is reached from a pod.
#[derive(Clone)]
pub(crate) struct ApiServer {
    url: String,
    folder: PathBuf,
}

#[derive(serde::Deserialize)]
struct IssuerDocument {
    issuer: String,
}

impl ApiServer {
    /// `folder` contains the ServiceAccount's `token` and `ca.crt`.
    pub(crate) fn new(host: &str, port: &str, folder: &Path) -> Self {
        Self { url: url(host, port), folder: folder.to_owned() }
    }

    /// The issuer's URL: the `iss` of the cluster's tokens.
    pub(crate) async fn issuer(&self) -> Result<String, DiscoveryError> {
        let document: IssuerDocument = self.get("/.well-known/openid-configuration").await?;
        Ok(document.issuer)
    }

    /// The issuer's current keys.
    pub(super) async fn keys(&self) -> Result<JwkSet, DiscoveryError> {
        self.get("/openid/v1/jwks").await
    }

    /// The ServiceAccount's token.
    pub(crate) fn token(&self) -> Result<String, DiscoveryError> {
        self.file("token")
    }

    /// Sends a request, with a content type and a body if they are given, and returns status and body.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        content: Option<(&'static str, String)>,
    ) -> Result<(StatusCode, Bytes), DiscoveryError> {
        let url = format!("{}{path}", self.url);
        self.client()?.send(method, &url, Some(self.token()?.trim()), content).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, DiscoveryError> {
        let url = format!("{}{path}", self.url);
        self.client()?.get(&url, Some(self.token()?.trim())).await
    }

    /// Token and CA are read each time, because the kubelet replaces both.
    fn client(&self) -> Result<DocumentClient, DiscoveryError> {
        DocumentClient::for_cluster(&self.file("ca.crt")?)
    }

    fn file(&self, name: &str) -> Result<String, DiscoveryError> {
        let file = self.folder.join(name);
        std::fs::read_to_string(&file).map_err(|error| DiscoveryError::File {
            file: file.display().to_string(),
            reason: error.to_string(),
        })
    }
}

fn url(host: &str, port: &str) -> String {
    // An IPv6 address needs brackets in a URL; the environment variable has none.
    if host.contains(':') && !host.starts_with('[') {
        return format!("https://[{host}]:{port}");
    }
    format!("https://{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_of_addresses_make_a_url() {
        assert_eq!(url("10.96.0.1", "443"), "https://10.96.0.1:443");
        assert_eq!(url("fd00:10:96::1", "443"), "https://[fd00:10:96::1]:443");
        assert_eq!(url("[::1]", "6443"), "https://[::1]:6443");
    }

    #[tokio::test]
    async fn a_missing_file_is_named() {
        let server = ApiServer { url: "https://127.0.0.1:1".to_owned(), folder: "/nowhere".into() };
        let error = server.issuer().await.unwrap_err().to_string();
        assert!(error.contains("/nowhere/ca.crt"), "{error}");
    }
}
