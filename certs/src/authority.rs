//! podrole's own certificate authority, for one webhook in one cluster.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;

use crate::Pair;

/// How far before `now` a certificate becomes valid, for API servers whose clocks are slow.
const BACKDATED: Duration = Duration::from_secs(300);

/// A CA with its key.
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Why no certificate was minted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// A name is neither a DNS name nor an IP address, or the library failed.
    #[error("could not mint a certificate: {0}")]
    Refused(#[from] rcgen::Error),
    /// The validity is outside the range that X.509 can express.
    #[error("could not mint a certificate: its validity is outside the range of X.509")]
    Time,
    /// The system gives no random numbers.
    #[error("could not make the secret part of the webhook's path: no random numbers")]
    Random,
}

impl Authority {
    /// Mints a CA with the common name `name`, valid for `lifetime` from `now`.
    ///
    /// # Errors
    /// If X.509 cannot express the validity, or the crypto library fails.
    pub fn mint(name: &str, now: Timestamp, lifetime: Duration) -> Result<Self, MintError> {
        let params = authority_params(name, now, lifetime)?;
        let key = KeyPair::generate()?;
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self { certificate_pem, issuer: Issuer::new(params, key) })
    }

    /// Loads a CA that was minted earlier, from its common name, certificate and key.
    ///
    /// # Errors
    /// If the key cannot be parsed.
    pub fn load(name: &str, certificate_pem: String, key_pem: &str) -> Result<Self, MintError> {
        // Signing needs only the signer's name and key, so the validity here does not matter.
        let params = authority_params(name, Timestamp::UNIX_EPOCH, Duration::ZERO)?;
        let key = KeyPair::from_pem(key_pem)?;
        Ok(Self { certificate_pem, issuer: Issuer::new(params, key) })
    }

    /// The private key as PEM, for the Secret that the replicas share.
    pub(crate) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The CA's certificate as PEM: the `caBundle` of a webhook configuration.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Issues a serving certificate for `names` (DNS names or IP addresses), valid for `lifetime`
    /// from `now`.
    ///
    /// # Errors
    /// If a name is invalid, or X.509 cannot express the validity.
    pub fn issue(
        &self,
        names: &[&str],
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<Pair, MintError> {
        let common_name = names.first().copied().unwrap_or("podrole");
        let mut params = params(common_name, names, now, lifetime)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Pair::from_minted(certificate.pem(), key.serialize_pem()))
    }
}

fn authority_params(
    name: &str,
    now: Timestamp,
    lifetime: Duration,
) -> Result<CertificateParams, MintError> {
    let mut params = params(name, &[], now, lifetime)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn params(
    common_name: &str,
    names: &[&str],
    now: Timestamp,
    lifetime: Duration,
) -> Result<CertificateParams, MintError> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    // X.509 limits a common name to 64 characters. Clients only check the alternative names.
    let common_name: String = common_name.chars().take(64).collect();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let at = |seconds: Option<i64>| {
        let seconds = seconds.ok_or(MintError::Time)?;
        OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| MintError::Time)
    };
    let lifetime = i64::try_from(lifetime.as_secs()).map_err(|_| MintError::Time)?;
    params.not_before = at(now.as_second().checked_sub_unsigned(BACKDATED.as_secs()))?;
    params.not_after = at(now.as_second().checked_add(lifetime))?;
    Ok(params)
}
