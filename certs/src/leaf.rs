//! A replica's own serving certificate: issued, proved, replaced in time.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use jiff::{SignedDuration, Timestamp};
use rustls::ServerConfig;

use crate::{Generations, Lives, MintError, Pair, PairError, Serving};

/// The certificate that a replica serves, and the CA that signed it. Its key is this process's
/// alone.
pub(crate) struct Leaf {
    serving: Serving,
    config: Arc<ServerConfig>,
    signer: String,
    issued: Timestamp,
    expires: Expires,
}

/// When the serving certificate ends, for a metric. Clones are the same value.
#[derive(Clone, Debug, Default)]
pub struct Expires(Arc<AtomicI64>);

/// Why there is no serving certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// It could not be issued.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// It could not be served.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// TLS could not be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Expires {
    /// Seconds from `now` to the end; negative after it, and while there is no certificate.
    #[must_use]
    pub fn in_seconds(&self, now: Timestamp) -> i64 {
        self.0.load(Relaxed).saturating_sub(now.as_second())
    }

    pub(crate) fn note(&self, end: Option<Timestamp>) {
        if let Some(end) = end {
            self.0.store(end.as_second(), Relaxed);
        }
    }
}

impl Leaf {
    /// The first certificate of this process.
    pub(crate) fn issue(
        generations: &Generations,
        names: &[String],
        now: Timestamp,
        lives: &Lives,
        expires: Expires,
    ) -> Result<Self, LeafError> {
        let pair = issue(generations, names, now, lives)?;
        let serving = Serving::new(&pair)?;
        let config = serving.server_config()?;
        let signer = generations.signer().to_owned();
        let leaf = Self { serving, config, signer, issued: now, expires };
        leaf.expires.note(pair.ends());
        Ok(leaf)
    }

    /// Replaces it where another CA signs now, or two thirds of its life are over. Says whether.
    pub(crate) fn renew(
        &mut self,
        generations: &Generations,
        names: &[String],
        now: Timestamp,
        lives: &Lives,
    ) -> Result<bool, LeafError> {
        let old = SignedDuration::try_from(lives.leaf * 2 / 3)
            .is_ok_and(|two_thirds| now.duration_since(self.issued) >= two_thirds);
        if !old && self.signer == generations.signer() {
            return Ok(false);
        }
        let pair = issue(generations, names, now, lives)?;
        self.serving.replace(&pair)?;
        (self.signer, self.issued) = (generations.signer().to_owned(), now);
        self.expires.note(pair.ends());
        Ok(true)
    }

    /// The configuration for a listener; it serves every later certificate too.
    pub(crate) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

fn issue(
    generations: &Generations,
    names: &[String],
    now: Timestamp,
    lives: &Lives,
) -> Result<Pair, MintError> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    generations.authority()?.issue(&names, now, lives.leaf)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Due, proof::prove};

    const NAME: &str = "podrole-webhook.podrole.svc";

    #[test]
    fn a_rotation_is_never_seen_by_who_trusts_the_bundle() {
        // rustls asks the real clock, and certificates begin 300 s before they are made.
        let lives = Lives { leaf: Duration::from_secs(270), ..Lives::default() };
        let start = podrole_runtime::clock::now();
        let at = |seconds| start + SignedDuration::from_secs(seconds);
        let mut generations = Generations::mint(start, &lives).unwrap();
        let expires = Expires::default();
        let names = [NAME.to_owned()];
        let mut leaf = Leaf::issue(&generations, &names, start, &lives, expires.clone()).unwrap();
        prove(leaf.config(), &generations.bundle(), NAME).unwrap();
        assert!(prove(leaf.config(), &generations.bundle(), "another.svc").is_err());
        assert_eq!(expires.in_seconds(start), 270);
        assert!(!leaf.renew(&generations, &names, at(179), &lives).unwrap());
        assert!(leaf.renew(&generations, &names, at(180), &lives).unwrap());

        let first = generations.bundle();
        generations = generations.step(Due::Stage, at(181), &lives).unwrap();
        let published = generations.bundle();
        generations = generations.step(Due::Promote, at(241), &lives).unwrap();
        // A replica that has not heard of it yet, and an API server that has.
        prove(leaf.config(), &generations.bundle(), NAME).unwrap();
        assert!(leaf.renew(&generations, &names, at(241), &lives).unwrap());
        prove(leaf.config(), &published, NAME).unwrap();
        assert!(prove(leaf.config(), &first, NAME).is_err(), "the old CA signed it");
        generations = generations.step(Due::Drop, at(242), &lives).unwrap();
        prove(leaf.config(), &generations.bundle(), NAME).unwrap();
    }
}
