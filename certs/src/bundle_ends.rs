//! How long a caBundle that is registered is good for.

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// When each certificate of a caBundle ends; `None` if it is not PEM, has no certificate or has one that cannot be read.
#[must_use]
pub fn bundle_ends(pem: &[u8]) -> Option<Vec<Timestamp>> {
    let ends = CertificateDer::pem_slice_iter(pem).map(|certificate| {
        let certificate = certificate.ok()?;
        let (_, certificate) = x509_parser::parse_x509_certificate(&certificate).ok()?;
        Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
    });
    let ends = ends.collect::<Option<Vec<_>>>()?;
    (!ends.is_empty()).then_some(ends)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Authority;

    #[test]
    fn a_bundle_ends_with_each_of_its_certificates() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mint = |seconds| Authority::mint("a", now, Duration::from_secs(seconds)).unwrap();
        let both = format!("{}{}", mint(3600).certificate_pem(), mint(7200).certificate_pem());
        let ends = bundle_ends(both.as_bytes()).unwrap();
        assert_eq!(
            ends.iter().map(|it| it.as_second() - now.as_second()).collect::<Vec<_>>(),
            [3600, 7200]
        );
        for bad in
            ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            assert_eq!(bundle_ends(bad.as_bytes()), None, "{bad}");
        }
    }
}
