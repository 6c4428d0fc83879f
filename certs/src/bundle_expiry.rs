//! When API servers stop trusting a `caBundle`. Pure.

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// A bundle cannot be used as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It has no certificate.
    #[error("it has no certificate")]
    Empty,
    /// One of its certificates cannot be read; API servers then refuse the whole bundle.
    #[error("it is not a list of certificates in PEM")]
    NotCertificates,
}

/// When the last certificate of a bundle expires.
///
/// # Errors
/// If API servers cannot use the bundle at all.
pub fn bundle_expiry(pem: &str) -> Result<Timestamp, BundleError> {
    let mut last = None;
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| BundleError::NotCertificates)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate)
            .map_err(|_| BundleError::NotCertificates)?;
        let ends = Timestamp::from_second(parsed.validity().not_after.timestamp());
        last = last.max(Some(ends.map_err(|_| BundleError::NotCertificates)?));
    }
    last.ok_or(BundleError::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Authority;

    #[test]
    fn the_last_certificate_counts_and_a_broken_one_breaks_all() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let minted = |days: u64| {
            let life = std::time::Duration::from_secs(days * 86_400);
            Authority::mint("ca", now, life).unwrap().certificate_pem().to_owned()
        };
        for days in [[10, 2], [2, 10]] {
            let both: String = days.map(minted).concat();
            assert_eq!(bundle_expiry(&both).unwrap().to_string(), "2026-12-10T12:00:00Z");
        }
        assert_eq!(bundle_expiry(""), Err(BundleError::Empty));
        let broken = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n";
        assert_eq!(bundle_expiry(broken), Err(BundleError::NotCertificates));
    }
}
