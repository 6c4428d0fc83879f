//! A certificate chain and its key, as PEM.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

/// A certificate chain and the key of its first certificate. Its Debug shows no key.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    certificates_pem: String,
    key_pem: String,
}

/// Why a pair cannot be served. The texts never hold the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// The certificate's PEM has no certificate.
    #[error("there is no PEM certificate in it (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// The key's PEM has no key.
    #[error("there is no PEM key in it (-----BEGIN PRIVATE KEY-----)")]
    NoKey,
    /// Key and certificate are not of one pair, or of a kind that TLS does not take.
    #[error("certificate and key do not go together: {0}")]
    Mismatch(rustls::Error),
}

impl Pair {
    /// A pair that was just minted.
    pub(crate) fn from_minted(certificates_pem: String, key_pem: String) -> Self {
        Self { certificates_pem, key_pem }
    }

    /// A pair from two files' texts. Not yet checked: see [`Pair::certified`].
    #[must_use]
    pub fn from_pem(certificates_pem: String, key_pem: String) -> Self {
        Self { certificates_pem, key_pem }
    }

    /// The chain as PEM: the content of `tls.crt`.
    #[must_use]
    pub fn certificates_pem(&self) -> &str {
        &self.certificates_pem
    }

    /// The key as PEM: the content of `tls.key`. A secret.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// When the first certificate of the chain ends; nothing where it cannot be read.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        let first = CertificateDer::from_pem_slice(self.certificates_pem.as_bytes()).ok()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&first).ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    }

    /// The pair as rustls serves it, checked: the key is that of the first certificate.
    ///
    /// # Errors
    /// When a part is missing or the two do not go together.
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

/// aws-lc-rs, named here so that this crate needs no process-wide choice.
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}
