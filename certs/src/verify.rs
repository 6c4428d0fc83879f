//! Would an API server accept this certificate? Takes the time as an argument, unlike the handshake of
//! `self_check.rs`.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};

use crate::{Pair, pair::provider};

fn general(error: &dyn std::error::Error) -> rustls::Error {
    rustls::Error::General(error.to_string())
}

/// The CAs of a bundle.
///
/// # Errors
/// If it is not PEM, or one of its certificates cannot be read.
pub(crate) fn roots(pem: &str) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(root.map_err(|error| general(&error))?)?;
    }
    Ok(roots)
}

/// Checks that a client that trusts `roots_pem` accepts `pair` for `name` at `now`.
///
/// # Errors
/// With the reason.
pub(crate) fn verifies(
    pair: &Pair,
    roots_pem: &str,
    name: &str,
    now: Timestamp,
) -> Result<(), rustls::Error> {
    let roots = Arc::new(roots(roots_pem)?);
    let builder = WebPkiServerVerifier::builder_with_provider(roots, provider().into());
    let verifier = builder.build().map_err(|error| general(&error))?;
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(pair.certificates_pem().as_bytes()).collect();
    let chain = chain.map_err(|error| general(&error))?;
    let Some((first, rest)) = chain.split_first() else {
        return Err(rustls::Error::NoCertificatesPresented);
    };
    let name = ServerName::try_from(name).map_err(|error| general(&error))?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier.verify_server_cert(first, rest, &name, &[], now).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Authority;

    #[test]
    fn a_certificate_counts_for_its_name_its_ca_and_its_time() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let (day, hour) = (Duration::from_secs(86_400), Duration::from_secs(3600));
        let ours = Authority::mint("ours", now, day).unwrap();
        let other = Authority::mint("other", now, day).unwrap();
        let pair = ours.issue(&["a.b.svc", "192.0.2.7"], now, hour).unwrap();
        let both = format!("{}{}", other.certificate_pem(), ours.certificate_pem());
        let ours = ours.certificate_pem();
        for (roots, name, seconds, accepted) in [
            (ours, "a.b.svc", 0, true),
            (&both, "192.0.2.7", 3599, true),
            (ours, "a.b.svc", 3601, false),
            (ours, "c.b.svc", 0, false),
            (other.certificate_pem(), "a.b.svc", 0, false),
            ("", "a.b.svc", 0, false),
        ] {
            let later = now + jiff::SignedDuration::from_secs(seconds);
            assert_eq!(verifies(&pair, roots, name, later).is_ok(), accepted, "{name} {seconds}");
        }
    }
}
