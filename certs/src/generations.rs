//! The CAs that stand beside each other while one follows another, and what is due when.
//!
//! ```text
//!   next      ······minted, published······┐
//!   current   ──────signs───────────────── │ ──► previous ──published──► gone
//!                                          └──► current ──signs──────────────►
//! ```
//!
//! The API server never says that it has read a bundle. So a new CA is published a while before
//! it signs anything, and an old one stays published until nothing that it signed can be valid.
//! All replicas read and write one value; whoever comes first takes the step. Pure: what is due
//! is decided from the value and the time.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Authority, MintError};

/// How long things live.
#[derive(Clone, Copy, Debug)]
pub struct Lives {
    /// A CA's life; the next one is minted at two thirds of it.
    pub authority: Duration,
    /// A serving certificate's life; it is replaced at two thirds of it.
    pub leaf: Duration,
    /// How long a CA is published before it signs: API servers read the bundle by a watch.
    pub published: Duration,
}

impl Default for Lives {
    /// A year for a CA, a day for a serving certificate, a minute to publish.
    fn default() -> Self {
        Self {
            authority: Duration::from_secs(365 * 86_400),
            leaf: Duration::from_secs(86_400),
            published: Duration::from_secs(60),
        }
    }
}

/// A CA as it is kept in a Secret. Its Debug shows no key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    name: String,
    certificate: String,
    key: String,
    minted: Timestamp,
}

/// A CA that signs no more and is trusted a while longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Retired {
    certificate: String,
    retired: Timestamp,
}

/// The CAs of one webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generations {
    current: Kept,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Kept>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Retired>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing, until the time comes round.
    Nothing,
    /// The CA is two thirds through its life: mint the next one, and publish it.
    Stage,
    /// The next one has been published long enough: it signs from now on.
    Promote,
    /// Nothing that the previous one signed is valid any more: withdraw it.
    Drop,
}

impl Generations {
    /// The first CA of all.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn mint(now: Timestamp, lives: &Lives) -> Result<Self, MintError> {
        Ok(Self { current: Kept::mint(now, lives)?, next: None, previous: None })
    }

    /// What is due.
    #[must_use]
    pub fn due(&self, now: Timestamp, lives: &Lives) -> Due {
        let age = |since: Timestamp| Duration::try_from(now.duration_since(since));
        let past = |since, life: Duration| age(since).is_ok_and(|age| age >= life);
        // What was signed in the instant before it retired lives for a whole leaf's life.
        let previous = self.previous.as_ref().map(|previous| previous.retired);
        match (&self.next, previous) {
            (_, Some(retired)) if past(retired, lives.leaf + lives.published) => Due::Drop,
            // One at a time: three CAs in a bundle would be two rotations at once.
            (Some(next), None) if past(next.minted, lives.published) => Due::Promote,
            (None, _) if past(self.current.minted, lives.authority * 2 / 3) => Due::Stage,
            _ => Due::Nothing,
        }
    }

    /// The CAs after a step.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn step(mut self, due: Due, now: Timestamp, lives: &Lives) -> Result<Self, MintError> {
        match due {
            Due::Nothing => {}
            Due::Stage => self.next = Some(Kept::mint(now, lives)?),
            Due::Drop => self.previous = None,
            Due::Promote => {
                if let Some(next) = self.next.take() {
                    let old = std::mem::replace(&mut self.current, next);
                    let certificate = old.certificate;
                    self.previous = Some(Retired { certificate, retired: now });
                }
            }
        }
        Ok(self)
    }

    /// What clients must trust: every CA that signs, will sign, or has signed what is still valid.
    #[must_use]
    pub fn bundle(&self) -> String {
        let next = self.next.as_ref().map(|next| next.certificate.as_str());
        let previous = self.previous.as_ref().map(|previous| previous.certificate.as_str());
        [Some(self.current.certificate.as_str()), next, previous].into_iter().flatten().collect()
    }

    /// The CA that signs now.
    ///
    /// # Errors
    /// When its key cannot be read.
    pub fn authority(&self) -> Result<Authority, MintError> {
        let Kept { name, certificate, key, .. } = &self.current;
        Authority::load(name, certificate.clone(), key)
    }

    /// The certificate of the CA that signs now.
    #[must_use]
    pub fn signer(&self) -> &str {
        &self.current.certificate
    }
}

impl Kept {
    fn mint(now: Timestamp, lives: &Lives) -> Result<Self, MintError> {
        // Two CAs of one name would leave clients to guess which of them signed.
        let name = format!("podrole CA {now:.0}");
        let authority = Authority::mint(&name, now, lives.authority)?;
        let certificate = authority.certificate_pem().to_owned();
        Ok(Self { name, certificate, key: authority.key_pem(), minted: now })
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: Lives = Lives {
        authority: Duration::from_secs(3000),
        leaf: Duration::from_secs(300),
        published: Duration::from_secs(60),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn count(generations: &Generations) -> usize {
        generations.bundle().matches("BEGIN CERTIFICATE").count()
    }

    #[test]
    fn a_rotation_goes_step_by_step() {
        let mut generations = Generations::mint(at(0), &LIVES).unwrap();
        let first = generations.signer().to_owned();
        let steps = [
            (1999, Due::Nothing, 1),
            (2000, Due::Stage, 2),
            (2059, Due::Nothing, 2),
            (2060, Due::Promote, 2),
            (2419, Due::Nothing, 2),
            (2420, Due::Drop, 1),
            (2421, Due::Nothing, 1),
        ];
        for (second, due, certificates) in steps {
            assert_eq!(generations.due(at(second), &LIVES), due, "{second}");
            generations = generations.step(due, at(second), &LIVES).unwrap();
            assert_eq!(count(&generations), certificates, "{second}");
            assert_eq!(generations.signer() == first, second < 2060, "{second}");
        }
    }

    #[test]
    fn two_rotations_do_not_overlap() {
        let short = Lives { authority: Duration::from_secs(90), ..LIVES };
        let mut generations = Generations::mint(at(0), &short).unwrap();
        for second in 0..2000 {
            let due = generations.due(at(second), &short);
            let free = generations.previous.is_none();
            assert!(due != Due::Promote || free, "one more was retired after {second} s");
            generations = generations.step(due, at(second), &short).unwrap();
            assert!(count(&generations) <= 3, "{second}");
        }
    }

    #[test]
    fn what_is_kept_reads_back_and_signs_what_its_certificate_proves() {
        let generations = Generations::mint(at(0), &LIVES).unwrap();
        let text = serde_json::to_string(&generations).unwrap();
        let read: Generations = serde_json::from_str(&text).unwrap();
        assert_eq!(read, generations);
        let authority = read.authority().unwrap();
        assert_eq!(authority.certificate_pem(), generations.signer());
        assert!(authority.issue(&["a.b.svc"], at(0), LIVES.leaf).is_ok());
    }

    #[test]
    fn a_debug_shows_no_key() {
        let shown = format!("{:?}", Generations::mint(at(0), &LIVES).unwrap());
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
}
