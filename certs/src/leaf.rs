//! A replica's serving certificate: issued by the shared CA, renewed before it expires.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;

use crate::{CaBundle, Lifetimes, MintError, Pair, PairError, Serving};

/// The certificate that a replica serves, and the CA that signed it. Its key never leaves the
/// process.
pub(crate) struct Leaf {
    serving: Serving,
    config: Arc<ServerConfig>,
    signer: String,
    issued: Timestamp,
    expires: Expires,
}

/// When the serving certificate expires, for a metric. Clones share one value.
#[derive(Clone, Debug, Default)]
pub struct Expires(Arc<AtomicI64>);

/// Why no serving certificate could be issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// The CA could not sign.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The issued pair is invalid.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The TLS configuration could not be built.
    #[error("could not set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Expires {
    /// Seconds from `now` to the expiry; negative afterwards, and while there is no certificate.
    #[must_use]
    pub fn in_seconds(&self, now: Timestamp) -> i64 {
        self.0.load(Relaxed).saturating_sub(now.as_second())
    }

    pub(crate) fn note(&self, expiry: Option<Timestamp>) {
        if let Some(expiry) = expiry {
            self.0.store(expiry.as_second(), Relaxed);
        }
    }
}

impl Leaf {
    pub(crate) fn issue(
        ca_bundle: &CaBundle,
        names: &[String],
        now: Timestamp,
        lifetimes: &Lifetimes,
        expires: Expires,
    ) -> Result<Self, LeafError> {
        let pair = issue(ca_bundle, names, now, lifetimes)?;
        let serving = Serving::new(&pair)?;
        let config = serving.server_config()?;
        let signer = ca_bundle.signer().to_owned();
        let leaf = Self { serving, config, signer, issued: now, expires };
        leaf.expires.note(pair.expires_at());
        Ok(leaf)
    }

    /// Replaces the certificate if another CA signs now or two thirds of its lifetime have passed.
    /// Returns whether it did.
    pub(crate) fn renew(
        &mut self,
        ca_bundle: &CaBundle,
        names: &[String],
        now: Timestamp,
        lifetimes: &Lifetimes,
    ) -> Result<bool, LeafError> {
        let old = SignedDuration::try_from(lifetimes.leaf * 2 / 3)
            .is_ok_and(|two_thirds| now.duration_since(self.issued) >= two_thirds);
        if !old && self.signer == ca_bundle.signer() {
            return Ok(false);
        }
        let pair = issue(ca_bundle, names, now, lifetimes)?;
        self.serving.replace(&pair)?;
        (self.signer, self.issued) = (ca_bundle.signer().to_owned(), now);
        self.expires.note(pair.expires_at());
        Ok(true)
    }

    /// The configuration for a listener. It serves every later certificate too.
    pub(crate) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

fn issue(
    ca_bundle: &CaBundle,
    names: &[String],
    now: Timestamp,
    lifetimes: &Lifetimes,
) -> Result<Pair, MintError> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    ca_bundle.authority()?.issue(&names, now, lifetimes.leaf)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{RotationStep, self_check::self_check};

    const NAME: &str = "podrole-webhook.podrole.svc";

    #[test]
    fn clients_that_trust_the_bundle_do_not_notice_a_rotation() {
        // rustls reads the real clock, and certificates are valid from 300 s before `now`. So the
        // simulated times must stay within 300 s of the real one.
        let lifetimes = Lifetimes { leaf: Duration::from_secs(270), ..Lifetimes::default() };
        let start = podrole_runtime::clock::now();
        let at = |seconds| start + SignedDuration::from_secs(seconds);
        let mut ca_bundle = CaBundle::mint(start, &lifetimes).unwrap();
        let expires = Expires::default();
        let names = [NAME.to_owned()];
        let mut leaf = Leaf::issue(&ca_bundle, &names, start, &lifetimes, expires.clone()).unwrap();
        self_check(leaf.config(), &ca_bundle.to_pem(), NAME).unwrap();
        assert!(self_check(leaf.config(), &ca_bundle.to_pem(), "another.svc").is_err());
        assert_eq!(expires.in_seconds(start), 270);
        assert!(!leaf.renew(&ca_bundle, &names, at(179), &lifetimes).unwrap());
        assert!(leaf.renew(&ca_bundle, &names, at(180), &lifetimes).unwrap());

        let first = ca_bundle.to_pem();
        ca_bundle = ca_bundle.step(RotationStep::Stage, at(181), &lifetimes).unwrap();
        let published = ca_bundle.to_pem();
        ca_bundle = ca_bundle.step(RotationStep::Promote, at(241), &lifetimes).unwrap();
        // A replica that has not seen the promotion yet, and an API server that has.
        self_check(leaf.config(), &ca_bundle.to_pem(), NAME).unwrap();
        assert!(leaf.renew(&ca_bundle, &names, at(241), &lifetimes).unwrap());
        self_check(leaf.config(), &published, NAME).unwrap();
        assert!(self_check(leaf.config(), &first, NAME).is_err(), "the old CA signed it");
        ca_bundle = ca_bundle.step(RotationStep::Drop, at(242), &lifetimes).unwrap();
        self_check(leaf.config(), &ca_bundle.to_pem(), NAME).unwrap();
    }
}
