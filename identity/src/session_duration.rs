//! How long a session of AWS credentials is valid.

use jiff::SignedDuration;

use crate::{CredentialProvider, Exchange};

/// The shortest session that STS issues, in seconds.
pub const MIN_SESSION_SECONDS: u32 = 900;
/// The longest session that STS issues, in seconds: 12 hours.
pub const MAX_SESSION_SECONDS: u32 = 43_200;
/// The longest session of a role that is assumed with another role's credentials, in seconds. AWS
/// limits such a session (role chaining) to one hour. Like EKS, podrole asks for a minute less, so
/// that rounding on AWS's side cannot make it an error.
pub const MAX_CHAINED_SESSION_SECONDS: u32 = 3540;

/// The duration that a session is asked for with: 15 minutes to 12 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionDuration(u32);

/// A text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a duration, like 6h, 90m or 3600 (seconds)")]
pub struct SessionDurationError(());

impl SessionDuration {
    /// Parses an annotation's value: `6h`, `1h30m`, or a whole number of seconds. If it had to be
    /// clamped, the second value is a warning that says so.
    ///
    /// # Errors
    /// If it is not a duration.
    pub fn read(text: &str) -> Result<(Self, Option<String>), SessionDurationError> {
        let seconds = match text.parse::<i64>() {
            Ok(seconds) => seconds,
            Err(_) => {
                text.parse::<SignedDuration>().map_err(|_| SessionDurationError(()))?.as_secs()
            }
        };
        let allowed = i64::from(MIN_SESSION_SECONDS)..=i64::from(MAX_SESSION_SECONDS);
        if allowed.contains(&seconds) {
            let seconds = u32::try_from(seconds).map_err(|_| SessionDurationError(()))?;
            return Ok((Self(seconds), None));
        }
        let (clamped, name) = if seconds < *allowed.start() {
            (MIN_SESSION_SECONDS, "15m")
        } else {
            (MAX_SESSION_SECONDS, "12h")
        };
        Ok((Self(clamped), Some(format!("{name} is used; AWS allows 15m to 12h"))))
    }

    /// Why it has no effect; `None` if it has one.
    #[must_use]
    pub(crate) fn without_effect(
        provider: CredentialProvider,
        exchange: Exchange,
    ) -> Option<&'static str> {
        match (provider, exchange) {
            // No SDK reads a duration from its environment.
            (CredentialProvider::WebIdentity, _) => {
                Some("it has no effect with web-identity; set podrole.io/credentials: container")
            }
            (CredentialProvider::Container, Exchange::EksAuth) => {
                Some("it has no effect with the exchange eks-auth: EKS decides")
            }
            (CredentialProvider::Container, _) => None,
        }
    }

    /// The number of seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_or_is_in_seconds() {
        for (text, seconds) in [
            ("6h", 21_600),
            ("90m", 5400),
            ("1h30m", 5400),
            ("3600", 3600),
            ("900s", 900),
            ("12h", 43_200),
        ] {
            let (duration, warning) = SessionDuration::read(text).unwrap();
            assert_eq!((duration.seconds(), warning), (seconds, None), "{text}");
        }
        for text in ["", "soon", "6", "6x", "h", "1 year", "99999999999999999999", "\u{661}h"] {
            let seconds = SessionDuration::read(text).map(|(duration, _)| duration.seconds());
            assert!(matches!(seconds, Err(_) | Ok(MIN_SESSION_SECONDS)), "{text}: {seconds:?}");
        }
    }

    #[test]
    fn a_duration_that_aws_does_not_allow_is_clamped_with_a_warning() {
        for (text, seconds) in [("5m", 900), ("0", 900), ("-1h", 900), ("24h", 43_200)] {
            let (duration, warning) = SessionDuration::read(text).unwrap();
            assert_eq!(duration.seconds(), seconds, "{text}");
            assert!(warning.unwrap().ends_with("AWS allows 15m to 12h"), "{text}");
        }
    }
}
