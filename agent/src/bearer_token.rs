//! The token that a request presents: its length and characters checked once, hashed once.
//!
//! [`PresentedToken`] borrows the text from the request, so that the fast path answers without
//! copying a kilobyte that it would then have to wipe. [`BearerToken`] owns the text, for what
//! outlives the request.

use aws_lc_rs::digest::{SHA256, digest};

use crate::secret::Secret;

/// The longest token that is accepted, in bytes. Kubernetes's are 1 to 2 kB long.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The SHA-256 of a token's text.
pub type TokenHash = [u8; 32];

/// A token in a request's header.
#[derive(Clone, Copy)]
pub struct PresentedToken<'a> {
    /// ASCII.
    bytes: &'a [u8],
    hash: TokenHash,
}

/// A token with a copy of its text, which is shared by clones and wiped with the last one.
#[derive(Clone, Debug)]
pub struct BearerToken {
    text: Secret,
    hash: TokenHash,
}

/// Why bytes cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerTokenError {
    /// There are none.
    #[error(
        "the Authorization header is missing or empty; it must hold the content of the file that \
         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names"
    )]
    Empty,
    /// There are more than [`MAX_TOKEN_BYTES`].
    #[error(
        "the token is longer than 16 kB; send the content of the projected token file and nothing \
         else"
    )]
    TooLong,
    /// Some are not ASCII, as every byte of a JWT is.
    #[error("the Authorization header does not hold a token; send the content of the token file")]
    NotAscii,
}

impl<'a> PresentedToken<'a> {
    /// Checks and hashes the token.
    ///
    /// # Errors
    /// If the bytes are empty, too long or not ASCII.
    pub fn read(bytes: &'a [u8]) -> Result<Self, BearerTokenError> {
        if bytes.is_empty() {
            return Err(BearerTokenError::Empty);
        }
        // Before the bytes are looked at: whatever a request sends costs a bounded time.
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(BearerTokenError::TooLong);
        }
        if !bytes.is_ascii() {
            return Err(BearerTokenError::NotAscii);
        }
        let mut hash = TokenHash::default();
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Ok(Self { bytes, hash })
    }

    pub(crate) fn hash(&self) -> &TokenHash {
        &self.hash
    }

    /// Copies the text.
    #[must_use]
    pub fn to_bearer(&self) -> BearerToken {
        // ASCII is UTF-8, so nothing is replaced.
        let text = String::from_utf8_lossy(self.bytes).into_owned();
        BearerToken { text: Secret::new(text), hash: self.hash }
    }
}

impl BearerToken {
    /// A placeholder for the token of a pod that has not asked yet.
    pub(crate) fn absent() -> Self {
        Self { text: Secret::new(String::new()), hash: TokenHash::default() }
    }

    /// The same token, known by its hash alone.
    pub(crate) fn without_text(&self) -> Self {
        Self { text: Secret::new(String::new()), hash: self.hash }
    }

    pub(crate) fn has_text(&self) -> bool {
        !self.expose().is_empty()
    }

    pub(crate) fn hash(&self) -> &TokenHash {
        &self.hash
    }

    /// `text` without the token, which an endpoint that echoes the request could have put into it.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.has_text() { text.replace(self.expose(), "<token>") } else { text.to_owned() }
    }

    /// The text, to verify it or to send it to AWS.
    pub(crate) fn expose(&self) -> &str {
        self.text.expose()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A token of this text, which must be one that [`PresentedToken::read`] accepts.
    pub(crate) fn bearer(text: &str) -> BearerToken {
        PresentedToken::read(text.as_bytes()).unwrap().to_bearer()
    }

    #[test]
    fn a_token_is_1_to_16384_ascii_bytes() {
        let read = |bytes: &[u8]| PresentedToken::read(bytes).map(drop);
        assert_eq!(read(b""), Err(BearerTokenError::Empty));
        assert_eq!(read(b"a"), Ok(()));
        assert_eq!(read(&[b'a'; MAX_TOKEN_BYTES]), Ok(()));
        assert_eq!(read(&[b'a'; MAX_TOKEN_BYTES + 1]), Err(BearerTokenError::TooLong));
        for bytes in ["é.é.é".as_bytes(), &[0xff]] {
            assert_eq!(read(bytes), Err(BearerTokenError::NotAscii));
        }
    }

    #[test]
    fn tokens_differ_by_their_hash_and_print_nothing() {
        let (one, other) = (bearer("one"), bearer("other"));
        assert_ne!(one.hash(), other.hash());
        assert_eq!(one.hash(), bearer("one").hash());
        assert_eq!(one.without_text().hash(), one.hash());
        assert!(one.has_text() && !one.without_text().has_text());
        assert!(!BearerToken::absent().has_text());
        assert!(!format!("{one:?}").contains("one"));
    }
}
