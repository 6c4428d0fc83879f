//! A request as its checks read it, whichever service it is for.

use axum::extract::Request;
use http::{HeaderMap, Uri};

/// Bytes of a body: a token of 20,000 characters, three bytes each at worst, and the rest.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// A request as it arrived.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl<'a> Call<'a> {
    /// A request without its body.
    pub(crate) fn head(request: &'a Request) -> Self {
        Self {
            method: request.method().as_str(),
            uri: request.uri(),
            headers: request.headers(),
            body: &[],
        }
    }

    /// A header's first value, where it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The query as it stands in the URL.
    pub(crate) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }
}
