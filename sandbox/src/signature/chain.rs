//! The signatures of a chunked body. Each one signs the previous one.

use std::time::SystemTime;

use aws_sigv4::sign::v4::{self, SigningParams};
use aws_smithy_runtime_api::{client::identity::Identity, http::Headers};
use axum::body::Bytes;

use super::{authorization::RequestSignature, chunk_error::ChunkError, equal::equal};

/// The state of the chain: the signature that the next chunk's signature signs.
pub(crate) struct SignatureChain<'a> {
    params: SigningParams<'a, ()>,
    last: String,
}

impl<'a> SignatureChain<'a> {
    /// Starts with the request's own signature, which must have been verified.
    pub(crate) fn new(signed: &'a RequestSignature, identity: &'a Identity) -> Option<Self> {
        let params = SigningParams::builder()
            .identity(identity)
            .region(&signed.scope.region)
            .name(&signed.scope.service)
            .time(SystemTime::from(signed.at))
            .settings(());
        Some(Self { params: params.build().ok()?, last: signed.signature.clone() })
    }

    /// Verifies a chunk's signature.
    pub(crate) fn chunk(&mut self, chunk: &Bytes, signature: &str) -> Result<(), ChunkError> {
        let own = self.sign(chunk).ok_or(ChunkError::Signature)?;
        self.take(own, signature)
    }

    /// Verifies the signature of the trailers.
    pub(crate) fn trailers(
        &mut self,
        trailers: &[(String, String)],
        signature: &str,
    ) -> Result<(), ChunkError> {
        let own = self.end(trailers).ok_or(ChunkError::Signature)?;
        self.take(own, signature)
    }

    fn take(&mut self, own: String, signature: &str) -> Result<(), ChunkError> {
        if !equal(&own, signature) {
            return Err(ChunkError::Signature);
        }
        self.last = own;
        Ok(())
    }

    pub(super) fn sign(&self, chunk: &Bytes) -> Option<String> {
        Some(v4::sign_chunk(chunk, &self.last, &self.params).ok()?.signature().to_owned())
    }

    pub(super) fn end(&self, trailers: &[(String, String)]) -> Option<String> {
        let mut headers = Headers::new();
        for (name, value) in trailers {
            headers.try_append(name.clone(), value.clone()).ok()?;
        }
        Some(v4::sign_trailer(&headers, &self.last, &self.params).ok()?.signature().to_owned())
    }

    /// Continues after a signature, as a client does.
    #[cfg(test)]
    pub(super) fn link(&mut self, own: &str) {
        self.last = own.to_owned();
    }
}
