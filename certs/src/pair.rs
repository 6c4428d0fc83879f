//! A certificate chain and its key, as PEM.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

/// A certificate chain and the key of its first certificate. `Debug` omits the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    certificates_pem: String,
    key_pem: String,
}

/// Why a pair cannot be served. The texts never contain the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// No certificate in the PEM.
    #[error("found no PEM certificate (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// No private key in the PEM.
    #[error("found no PEM private key (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// The key does not belong to the certificate, or TLS does not support its type.
    #[error("the key does not match the certificate: {0}")]
    Mismatch(rustls::Error),
}

impl Pair {
    pub(crate) fn from_minted(certificates_pem: String, key_pem: String) -> Self {
        Self { certificates_pem, key_pem }
    }

    /// A pair from the content of two PEM files. It is not checked until [`Pair::certified`].
    #[must_use]
    pub fn from_pem(certificates_pem: String, key_pem: String) -> Self {
        Self { certificates_pem, key_pem }
    }

    /// The chain as PEM: the content of `tls.crt`.
    #[must_use]
    pub fn certificates_pem(&self) -> &str {
        &self.certificates_pem
    }

    /// The private key as PEM: the content of `tls.key`.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// When the first certificate of the chain expires, or `None` if it cannot be parsed.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        let first = CertificateDer::from_pem_slice(self.certificates_pem.as_bytes()).ok()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&first).ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    }

    /// Checks that the key belongs to the first certificate, and returns the pair for rustls.
    ///
    /// # Errors
    /// If a part is missing or the two do not match.
    pub fn certified(&self) -> Result<Arc<CertifiedKey>, PairError> {
        let chain = CertificateDer::pem_slice_iter(self.certificates_pem.as_bytes());
        let chain: Vec<_> =
            chain.collect::<Result<_, _>>().map_err(|_| PairError::NoCertificate)?;
        if chain.is_empty() {
            return Err(PairError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes());
        let key = key.map_err(|_| PairError::NoKey)?;
        let certified = CertifiedKey::from_der(chain, key, &provider());
        certified.map(Arc::new).map_err(PairError::Mismatch)
    }
}

/// aws-lc-rs. Passed explicitly so that this crate works without rustls's process-wide default.
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}
