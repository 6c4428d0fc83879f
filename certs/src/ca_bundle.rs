//! The CAs that API servers must trust, and when the next rotation step is due.
//!
//! ```text
//!   next      ······minted, published······┐
//!   current   ──────signs───────────────── │ ──► previous ──published──► gone
//!                                          └──► current ──signs──────────────►
//! ```
//!
//! The API server never reports that it has read a bundle. So a new CA is published for a while
//! before it signs anything, and an old one stays published until every certificate that it signed
//! has expired. This module is pure: the value and the time decide which step is due.

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Authority, MintError};

/// Lifetimes of CAs and certificates.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Lifetime of a CA; its successor is minted after two thirds of it.
    pub authority: Duration,
    /// Lifetime of a serving certificate; it is replaced after two thirds of it.
    pub leaf: Duration,
    /// How long a CA is published before it signs. It must be longer than the delay of an API
    /// server's watch, or the API server rejects the first certificates of the new CA.
    pub published: Duration,
}

impl Default for Lifetimes {
    /// 365 days for a CA, 30 days for a serving certificate, one minute of publication.
    ///
    /// A serving certificate is renewed after 20 days, so the controller may be away for ten.
    fn default() -> Self {
        Self {
            authority: Duration::from_secs(365 * 86_400),
            leaf: Duration::from_secs(30 * 86_400),
            published: Duration::from_secs(60),
        }
    }
}

/// How far in the future a CA may have been minted: another replica's clock may be ahead a little. A certificate
/// begins before its minting by as much.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// A CA with its key, as stored in the Secret. `Debug` omits the key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredCa {
    name: String,
    certificate: String,
    key: String,
    minted: Timestamp,
}

/// A CA that no longer signs and is still trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetiredCa {
    certificate: String,
    retired: Timestamp,
}

/// The CAs of one webhook: the one that signs, its successor and its predecessor. The serialized
/// form is the content of the Secret, which controllers of other versions read too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CaBundle {
    current: StoredCa,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<StoredCa>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<RetiredCa>,
}

/// The next step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationStep {
    /// No step is due yet.
    Nothing,
    /// Two thirds of the current CA's lifetime have passed: mint and publish its successor.
    Stage,
    /// The successor has been published long enough: it signs from now on.
    Promote,
    /// Every certificate that the predecessor signed has expired: stop publishing it.
    Drop,
}

impl CaBundle {
    /// Mints the first CA.
    ///
    /// # Errors
    /// If the crypto library fails.
    pub fn mint(now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, MintError> {
        Ok(Self { current: StoredCa::mint(now, lifetimes)?, next: None, previous: None })
    }

    /// Keeps the CAs of `bundle_pem` trusted until everything that they signed has expired: those of a
    /// Secret that was lost.
    pub(crate) fn with_predecessor(mut self, bundle_pem: String, now: Timestamp) -> Self {
        self.previous = Some(RetiredCa { certificate: bundle_pem, retired: now });
        self
    }

    /// Whether the current CA has been published long enough to sign in place of another.
    pub(crate) fn may_sign(&self, now: Timestamp, lifetimes: &Lifetimes) -> bool {
        let age = Duration::try_from(now.duration_since(self.current.minted));
        age.is_ok_and(|age| age >= lifetimes.published)
    }

    /// Returns the step that is due at `now`.
    #[must_use]
    pub fn due(&self, now: Timestamp, lifetimes: &Lifetimes) -> RotationStep {
        let age = |since: Timestamp| Duration::try_from(now.duration_since(since));
        let past = |since, life: Duration| age(since).is_ok_and(|age| age >= life);
        // A leaf signed just before the retirement is valid for a whole leaf lifetime.
        let previous = self.previous.as_ref().map(|previous| previous.retired);
        // Minted while this node's clock was ahead: API servers reject it until its beginning, and its age would not grow.
        let newest = self.next.as_ref().unwrap_or(&self.current);
        if newest.minted.duration_since(now) > AHEAD {
            return RotationStep::Stage;
        }
        match (&self.next, previous) {
            (_, Some(retired)) if past(retired, lifetimes.leaf + lifetimes.published) => {
                RotationStep::Drop
            }
            // A predecessor must be dropped first: otherwise two rotations would overlap.
            (Some(next), None) if past(next.minted, lifetimes.published) => RotationStep::Promote,
            (None, _) if past(self.current.minted, lifetimes.authority * 2 / 3) => {
                RotationStep::Stage
            }
            _ => RotationStep::Nothing,
        }
    }

    /// Returns the CAs after `step`.
    ///
    /// # Errors
    /// If the crypto library fails.
    pub fn step(
        mut self,
        step: RotationStep,
        now: Timestamp,
        lifetimes: &Lifetimes,
    ) -> Result<Self, MintError> {
        match step {
            RotationStep::Nothing => {}
            RotationStep::Stage => self.next = Some(StoredCa::mint(now, lifetimes)?),
            RotationStep::Drop => self.previous = None,
            RotationStep::Promote => {
                if let Some(next) = self.next.take() {
                    let old = std::mem::replace(&mut self.current, next);
                    let certificate = old.certificate;
                    self.previous = Some(RetiredCa { certificate, retired: now });
                }
            }
        }
        Ok(self)
    }

    /// Returns the certificates of all CAs as PEM: what API servers must trust, the `caBundle`.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let next = self.next.as_ref().map(|next| next.certificate.as_str());
        let previous = self.previous.as_ref().map(|previous| previous.certificate.as_str());
        [Some(self.current.certificate.as_str()), next, previous].into_iter().flatten().collect()
    }

    /// Returns the CA that signs.
    ///
    /// # Errors
    /// If its key cannot be parsed.
    pub fn authority(&self) -> Result<Authority, MintError> {
        let StoredCa { name, certificate, key, .. } = &self.current;
        Authority::load(name, certificate.clone(), key)
    }

    /// The certificate of the CA that signs, as PEM.
    #[must_use]
    pub fn signer(&self) -> &str {
        &self.current.certificate
    }
}

impl StoredCa {
    fn mint(now: Timestamp, lifetimes: &Lifetimes) -> Result<Self, MintError> {
        // Clients find the signer by its name, so each CA gets a name of its own.
        let name = format!("podrole CA {now:.0}");
        let authority = Authority::mint(&name, now, lifetimes.authority)?;
        let certificate = authority.certificate_pem().to_owned();
        Ok(Self { name, certificate, key: authority.key_pem(), minted: now })
    }
}

impl fmt::Debug for StoredCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCa").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        authority: Duration::from_secs(3000),
        leaf: Duration::from_secs(300),
        published: Duration::from_secs(60),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn count(ca_bundle: &CaBundle) -> usize {
        ca_bundle.to_pem().matches("BEGIN CERTIFICATE").count()
    }

    #[test]
    fn a_ca_that_was_minted_in_the_future_is_replaced() {
        let (now, later) = (at(0), at(3600));
        let ca_bundle = CaBundle::mint(later, &LIFETIMES).unwrap();
        assert_eq!(ca_bundle.due(now, &LIFETIMES), RotationStep::Stage);
        let staged = ca_bundle.step(RotationStep::Stage, now, &LIFETIMES).unwrap();
        assert_eq!(staged.due(now, &LIFETIMES), RotationStep::Nothing);
        assert_eq!(staged.due(at(60), &LIFETIMES), RotationStep::Promote);
        let again = staged.step(RotationStep::Stage, later, &LIFETIMES).unwrap();
        assert_eq!(again.due(now, &LIFETIMES), RotationStep::Stage, "the staged one, too");
    }

    #[test]
    fn a_rotation_takes_one_step_at_a_time() {
        let mut ca_bundle = CaBundle::mint(at(0), &LIFETIMES).unwrap();
        let first = ca_bundle.signer().to_owned();
        let steps = [
            (1999, RotationStep::Nothing, 1),
            (2000, RotationStep::Stage, 2),
            (2059, RotationStep::Nothing, 2),
            (2060, RotationStep::Promote, 2),
            (2419, RotationStep::Nothing, 2),
            (2420, RotationStep::Drop, 1),
            (2421, RotationStep::Nothing, 1),
        ];
        for (second, due, certificates) in steps {
            assert_eq!(ca_bundle.due(at(second), &LIFETIMES), due, "{second}");
            ca_bundle = ca_bundle.step(due, at(second), &LIFETIMES).unwrap();
            assert_eq!(count(&ca_bundle), certificates, "{second}");
            assert_eq!(ca_bundle.signer() == first, second < 2060, "{second}");
        }
    }

    #[test]
    fn two_rotations_do_not_overlap() {
        let short = Lifetimes { authority: Duration::from_secs(90), ..LIFETIMES };
        let mut ca_bundle = CaBundle::mint(at(0), &short).unwrap();
        for second in 0..2000 {
            let due = ca_bundle.due(at(second), &short);
            let free = ca_bundle.previous.is_none();
            assert!(
                due != RotationStep::Promote || free,
                "a second CA was retired after {second} s"
            );
            ca_bundle = ca_bundle.step(due, at(second), &short).unwrap();
            assert!(count(&ca_bundle) <= 3, "{second}");
        }
    }

    #[test]
    fn a_stored_bundle_can_be_read_back_and_signs() {
        let ca_bundle = CaBundle::mint(at(0), &LIFETIMES).unwrap();
        let text = serde_json::to_string(&ca_bundle).unwrap();
        let read: CaBundle = serde_json::from_str(&text).unwrap();
        assert_eq!(read, ca_bundle);
        let authority = read.authority().unwrap();
        assert_eq!(authority.certificate_pem(), ca_bundle.signer());
        assert!(authority.issue(&["a.b.svc"], at(0), LIFETIMES.leaf).is_ok());
    }

    #[test]
    fn debug_omits_the_key() {
        let shown = format!("{:?}", CaBundle::mint(at(0), &LIFETIMES).unwrap());
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
}
