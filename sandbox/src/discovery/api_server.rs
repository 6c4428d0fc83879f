//! A cluster's API server, asked for its issuer and keys as a pod asks it.

use std::path::{Path, PathBuf};

use super::documents::DocumentClient;
use crate::jwk::JwkSet;

/// How its API server is reached.
pub(crate) struct ApiServer {
    url: String,
    folder: PathBuf,
}

#[derive(serde::Deserialize)]
struct IssuerDocument {
    issuer: String,
}

impl ApiServer {
    /// The API server of a pod's cluster.
    pub(crate) fn new(host: &str, port: &str, folder: &Path) -> Self {
        Self { url: url(host, port), folder: folder.to_owned() }
    }

    /// Its issuer's URL: the `iss` of its tokens.
    pub(crate) async fn issuer(&self) -> Result<String, String> {
        let document: IssuerDocument = self.get("/.well-known/openid-configuration").await?;
        Ok(document.issuer)
    }

    /// Its keys, as they are now.
    pub(super) async fn keys(&self) -> Result<JwkSet, String> {
        self.get("/openid/v1/jwks").await
    }

    /// The files are read each time: a kubelet replaces both.
    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let read = |name: &str| {
            let file = self.folder.join(name);
            std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
        };
        let documents = DocumentClient::for_cluster(&read("ca.crt")?)?;
        documents.get(&format!("{}{path}", self.url), Some(read("token")?.trim())).await
    }
}

fn url(host: &str, port: &str) -> String {
    // IPv6 stands between brackets in a URL, and without them in the variable.
    if host.contains(':') && !host.starts_with('[') {
        return format!("https://[{host}]:{port}");
    }
    format!("https://{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_family_of_addresses_makes_a_url() {
        assert_eq!(url("10.96.0.1", "443"), "https://10.96.0.1:443");
        assert_eq!(url("fd00:10:96::1", "443"), "https://[fd00:10:96::1]:443");
        assert_eq!(url("[::1]", "6443"), "https://[::1]:6443");
    }

    #[tokio::test]
    async fn files_that_are_not_there_are_named() {
        let server = ApiServer { url: "https://127.0.0.1:1".to_owned(), folder: "/nowhere".into() };
        let error = server.issuer().await.unwrap_err();
        assert!(error.contains("/nowhere/ca.crt"), "{error}");
    }
}
