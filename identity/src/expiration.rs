//! How long a projected token is valid.

/// The name of the annotation that sets it, after EKS's prefix.
pub const TOKEN_EXPIRATION: &str = "token-expiration";
/// The shortest validity of a projected token that the API server allows, in seconds.
pub const MIN_TOKEN_EXPIRATION_SECONDS: u32 = 600;
/// The longest validity of a projected token that EKS allows, in seconds: a day.
pub const MAX_TOKEN_EXPIRATION_SECONDS: u32 = 86_400;
/// The default validity of a token, in seconds.
pub const DEFAULT_TOKEN_EXPIRATION_SECONDS: u32 = 86_400;

/// How long a projected token is valid: 600 to 86400 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenExpiration(u32);

/// A text is not a number of seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("it is not a whole number of seconds")]
pub struct TokenExpirationError(());

impl TokenExpiration {
    /// Clamps a number of seconds to the allowed range.
    #[must_use]
    pub fn clamped(seconds: i64) -> Self {
        let (min, max) = (MIN_TOKEN_EXPIRATION_SECONDS, MAX_TOKEN_EXPIRATION_SECONDS);
        let seconds = u32::try_from(seconds.clamp(i64::from(min), i64::from(max)));
        Self(seconds.unwrap_or(DEFAULT_TOKEN_EXPIRATION_SECONDS))
    }

    /// Parses an annotation's value, in seconds. If it had to be clamped, the second value is a
    /// warning that says so.
    ///
    /// # Errors
    /// If it is not a whole number.
    pub fn read(text: &str) -> Result<(Self, Option<String>), TokenExpirationError> {
        let seconds: i64 = text.parse().map_err(|_| TokenExpirationError(()))?;
        let clamped = Self::clamped(seconds);
        let warning = (i64::from(clamped.0) != seconds)
            .then(|| format!("{} is used instead; set a number from 600 to 86400", clamped.0));
        Ok((clamped, warning))
    }

    /// The number of seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl Default for TokenExpiration {
    fn default() -> Self {
        Self(DEFAULT_TOKEN_EXPIRATION_SECONDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiration_is_clamped_to_the_allowed_range() {
        for (text, seconds, is_clamped) in [
            ("3600", 3600, false),
            ("+3600", 3600, false),
            ("600", 600, false),
            ("86400", 86400, false),
            ("599", 600, true),
            ("0", 600, true),
            ("-5", 600, true),
            ("86401", 86400, true),
            ("999999999999", 86400, true),
        ] {
            let (expiration, warning) = TokenExpiration::read(text).unwrap();
            assert_eq!((expiration.seconds(), warning.is_some()), (seconds, is_clamped), "{text}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_number_is_rejected() {
        for text in ["", "abc", " 3600", "3600.5", "1e4", "99999999999999999999"] {
            assert!(TokenExpiration::read(text).is_err(), "{text}");
        }
    }
}
