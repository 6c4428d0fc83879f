//! An HTTP request, as the signature checks and the query protocol read it.

use axum::extract::Request;
use http::{HeaderMap, Uri};

/// Maximum bytes of a body: room for a token of 20,000 characters, percent-encoded, and other parameters.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// A request as it was received.
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

    /// A header's first value, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The query of the URL, still encoded.
    pub(crate) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }
}
