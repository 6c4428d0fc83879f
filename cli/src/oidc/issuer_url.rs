//! The issuer's URL. IAM compares it with the tokens' `iss` as a text, so it is never rewritten.

use http::Uri;

/// An issuer that IAM accepts as the URL of an OIDC provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssuerUrl(String);

/// Why IAM cannot use an issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IssuerUrlError {
    #[error("it is not a URL")]
    NotAUrl,
    #[error("it begins with {0}, and IAM reads keys by https only")]
    NotHttps(String),
    #[error("it has the port {0}, which IAM does not accept")]
    Port(u16),
    #[error("it has a user, which IAM does not accept")]
    User,
    #[error("it has a query, which IAM does not accept")]
    Query,
    #[error("it has a fragment, which IAM does not accept")]
    Fragment,
    #[error("it is a name within the cluster, which AWS cannot reach")]
    InCluster,
    #[error("it ends with a slash, and the provider in IAM must then end with one too")]
    TrailingSlash,
}

/// Whether an issuer may end with a slash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TrailingSlash {
    #[default]
    Refused,
    /// The tokens have it too.
    Accepted,
}

impl IssuerUrl {
    /// Checks an issuer.
    ///
    /// # Errors
    /// If IAM cannot use it, or if it ends with a slash that is not accepted.
    pub(crate) fn read(text: &str, slash: TrailingSlash) -> Result<Self, IssuerUrlError> {
        // The library leaves fragments out.
        if text.contains('#') {
            return Err(IssuerUrlError::Fragment);
        }
        let uri: Uri = text.parse().map_err(|_| IssuerUrlError::NotAUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(IssuerUrlError::NotAUrl);
        };
        if scheme != "https" {
            return Err(IssuerUrlError::NotHttps(scheme.to_owned()));
        }
        if authority.as_str().contains('@') {
            return Err(IssuerUrlError::User);
        }
        if let Some(port) = authority.port_u16() {
            return Err(IssuerUrlError::Port(port));
        }
        if text.contains('?') {
            return Err(IssuerUrlError::Query);
        }
        let host = authority.host();
        if [".svc", ".cluster.local"].iter().any(|end| host.ends_with(end)) {
            return Err(IssuerUrlError::InCluster);
        }
        if text.ends_with('/') && slash == TrailingSlash::Refused {
            return Err(IssuerUrlError::TrailingSlash);
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of IAM's provider within its ARN.
    pub(crate) fn without_scheme(&self) -> &str {
        self.0.strip_prefix("https://").unwrap_or(&self.0)
    }

    /// The URL of a file that is published with the issuer. OIDC discovery leaves out one slash at the issuer's end.
    pub(crate) fn of_file(&self, path: &str) -> String {
        format!("{}/{path}", self.0.trim_end_matches('/'))
    }

    /// The path of a URL below this issuer, without a slash at its start. `None` if it is elsewhere, or not a plain path
    /// of files.
    pub(crate) fn path_below<'a>(&self, url: &'a str) -> Option<&'a str> {
        let path = url.strip_prefix(self.0.trim_end_matches('/'))?.strip_prefix('/')?;
        let is_plain = |part: &str| {
            let legal = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
            !part.is_empty() && !part.bytes().all(|c| c == b'.') && part.bytes().all(legal)
        };
        path.split('/').all(is_plain).then_some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, IssuerUrlError> {
        IssuerUrl::read(text, TrailingSlash::Refused).map(|issuer| issuer.0)
    }

    #[test]
    fn an_issuer_that_iam_accepts_stays_as_it_is() {
        for text in [
            "https://oidc.example",
            "https://bucket.s3.eu-west-1.amazonaws.com/cluster-a",
            "https://s3.eu-west-1.amazonaws.com/bucket/a.b",
        ] {
            assert_eq!(read(text), Ok(text.to_owned()));
        }
        let slash = IssuerUrl::read("https://oidc.example/", TrailingSlash::Accepted).unwrap();
        assert_eq!(slash.as_str(), "https://oidc.example/");
        assert_eq!(slash.of_file("a"), "https://oidc.example/a");
    }

    #[test]
    fn an_issuer_that_iam_refuses_is_refused_with_its_reason() {
        for (text, error) in [
            ("", IssuerUrlError::NotAUrl),
            ("oidc.example", IssuerUrlError::NotAUrl),
            ("/a", IssuerUrlError::NotAUrl),
            ("http://oidc.example", IssuerUrlError::NotHttps("http".to_owned())),
            ("https://oidc.example:6443/a", IssuerUrlError::Port(6443)),
            ("https://oidc.example:443", IssuerUrlError::Port(443)),
            ("https://a@oidc.example", IssuerUrlError::User),
            ("https://oidc.example/a?b=c", IssuerUrlError::Query),
            ("https://oidc.example?", IssuerUrlError::Query),
            ("https://oidc.example/a#b", IssuerUrlError::Fragment),
            ("https://kubernetes.default.svc", IssuerUrlError::InCluster),
            ("https://kubernetes.default.svc.cluster.local", IssuerUrlError::InCluster),
            ("https://oidc.example/a/", IssuerUrlError::TrailingSlash),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }

    #[test]
    fn only_plain_paths_below_the_issuer_are_files_of_it() {
        let issuer = IssuerUrl::read("https://oidc.example/a", TrailingSlash::Refused).unwrap();
        assert_eq!(
            issuer.path_below("https://oidc.example/a/openid/v1/jwks"),
            Some("openid/v1/jwks")
        );
        for url in [
            "https://oidc.example/openid/v1/jwks",
            "https://oidc.example/ab/jwks",
            "https://oidc.example/a",
            "https://oidc.example/a/",
            "https://oidc.example/a/../b",
            "https://oidc.example/a//b",
            "https://oidc.example/a/b%2f",
            "https://oidc.example/a/b?c",
            "https://other.example/a/b",
        ] {
            assert_eq!(issuer.path_below(url), None, "{url}");
        }
    }
}
