//! Which callers are answered. An answer tells roles, Secrets and guard-rails of any namespace, and
//! any pod can reach the port.

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, Uri, uri::PathAndQuery},
    response::{IntoResponse as _, Response},
};
use podrole_certs::PathSegment;
use podrole_runtime::serve::ClientCertificate;
use tower::ServiceExt as _;

/// Callers that are answered; others get 404.
#[derive(Clone, Debug)]
pub(crate) enum Callers {
    /// All that reach the port.
    All,
    /// Those that call the path of our webhook configuration, which has this segment before it, and
    /// those with a client certificate of --client-ca.
    Known(PathSegment),
}

impl Callers {
    /// The route that a caller may have.
    fn route<'a>(&self, path: &'a str, has_certificate: bool) -> Option<&'a str> {
        match self {
            Self::All => Some(path),
            Self::Known(_) if path == "/healthz" => Some(path),
            Self::Known(segment) => segment.strip(path).or(has_certificate.then_some(path)),
        }
    }
}

/// `routes` for these callers.
pub(crate) fn for_callers(routes: Router, callers: Callers) -> Router {
    Router::new().fallback(async move |mut request: Request| {
        let certificate = request.extensions().get::<ClientCertificate>().is_some();
        let routed = callers.route(request.uri().path(), certificate);
        let Some(uri) = routed.and_then(|route| with_path(request.uri(), route)) else {
            return not_found();
        };
        *request.uri_mut() = uri;
        routes.clone().oneshot(request).await.into_response()
    })
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, routing::get};

    use super::*;

    async fn status(callers: Callers, uri: &str, certificate: bool) -> StatusCode {
        let query = async |uri: Uri| uri.query().unwrap_or_default().to_owned();
        let routes = Router::new().route("/mutate", get(query)).route("/healthz", get(|| async {}));
        let mut request = Request::get(uri).body(Body::empty()).unwrap();
        if certificate {
            request.extensions_mut().insert(ClientCertificate);
        }
        let answer = for_callers(routes, callers).oneshot(request).await.unwrap();
        answer.status()
    }

    #[tokio::test]
    async fn only_callers_with_the_segment_or_a_certificate_are_answered() {
        let (ok, not_found) = (StatusCode::OK, StatusCode::NOT_FOUND);
        let known = || Callers::Known(PathSegment::known("s3cret"));
        for (uri, certificate, expected) in [
            ("/s3cret/mutate?timeout=3s", false, ok),
            ("/s3cret/mutate", true, ok),
            ("/mutate", true, ok),
            ("/mutate", false, not_found),
            ("/other/mutate", false, not_found),
            ("/other/mutate", true, not_found),
            ("/s3cret/s3cret/mutate", false, not_found),
            ("/healthz", false, ok),
        ] {
            assert_eq!(status(known(), uri, certificate).await, expected, "{uri} {certificate}");
        }
        assert_eq!(status(Callers::All, "/mutate", false).await, ok);
        let not_yet = Callers::Known(PathSegment::default());
        assert_eq!(status(not_yet, "//mutate", false).await, not_found);
    }
}
