//! A certificate authority of our own, for one webhook in one cluster.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::OffsetDateTime;

use crate::Pair;

/// How far back a certificate's life begins, for machines whose clocks are late.
const BACKDATED: Duration = Duration::from_secs(300);

/// A CA that signs serving certificates.
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Why nothing was minted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// A name is no DNS name or IP address, or the library refused.
    #[error("a certificate could not be minted: {0}")]
    Refused(#[from] rcgen::Error),
    /// The time or the life is out of what a certificate can say.
    #[error("a certificate cannot be valid then")]
    Time,
}

impl Authority {
    /// A new CA, valid for `life` from `now`. `name` is its common name.
    ///
    /// # Errors
    /// When `now` or `life` is beyond what a certificate can say.
    pub fn mint(name: &str, now: Timestamp, life: Duration) -> Result<Self, MintError> {
        let params = authority_params(name, now, life)?;
        let key = KeyPair::generate()?;
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self { certificate_pem, issuer: Issuer::new(params, key) })
    }

    /// A CA that was minted before, by its common name, certificate and key.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub fn load(name: &str, certificate_pem: String, key_pem: &str) -> Result<Self, MintError> {
        // A signature names the signer and its key; when the CA itself is valid does not matter.
        let params = authority_params(name, Timestamp::UNIX_EPOCH, Duration::ZERO)?;
        let key = KeyPair::from_pem(key_pem)?;
        Ok(Self { certificate_pem, issuer: Issuer::new(params, key) })
    }

    /// The key as PEM. A secret, for the Secret that the replicas share.
    pub(crate) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// What clients trust: the `caBundle` of a webhook configuration, as PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A serving certificate for `names` (DNS names or IP addresses), valid for `life` from `now`.
    ///
    /// # Errors
    /// When a name is none, or the time is out of what a certificate can say.
    pub fn issue(&self, names: &[&str], now: Timestamp, life: Duration) -> Result<Pair, MintError> {
        let common_name = names.first().copied().unwrap_or("podrole");
        let mut params = params(common_name, names, now, life)?;
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
    life: Duration,
) -> Result<CertificateParams, MintError> {
    let mut params = params(name, &[], now, life)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn params(
    common_name: &str,
    names: &[&str],
    now: Timestamp,
    life: Duration,
) -> Result<CertificateParams, MintError> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    // X.509 allows 64 characters here; clients look at the subject alternative names.
    let common_name: String = common_name.chars().take(64).collect();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let at = |seconds: Option<i64>| {
        let seconds = seconds.ok_or(MintError::Time)?;
        OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| MintError::Time)
    };
    let life = i64::try_from(life.as_secs()).map_err(|_| MintError::Time)?;
    params.not_before = at(now.as_second().checked_sub_unsigned(BACKDATED.as_secs()))?;
    params.not_after = at(now.as_second().checked_add(life))?;
    Ok(params)
}
