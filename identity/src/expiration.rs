//! How long a projected token lives.

/// The shortest life that the API server gives a projected token, in seconds.
pub const MIN_TOKEN_EXPIRATION_SECONDS: u32 = 600;
/// The longest life that EKS allows a projected token, in seconds: a day.
pub const MAX_TOKEN_EXPIRATION_SECONDS: u32 = 86_400;
/// The life of a token where nobody says otherwise, in seconds.
pub const DEFAULT_TOKEN_EXPIRATION_SECONDS: u32 = 86_400;

/// The life of a projected token: 600 to 86400 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenExpiration(u32);

impl TokenExpiration {
    /// Seconds, moved into what is allowed.
    #[must_use]
    pub fn clamped(seconds: i64) -> Self {
        let (min, max) = (MIN_TOKEN_EXPIRATION_SECONDS, MAX_TOKEN_EXPIRATION_SECONDS);
        let seconds = u32::try_from(seconds.clamp(i64::from(min), i64::from(max)));
        Self(seconds.unwrap_or(DEFAULT_TOKEN_EXPIRATION_SECONDS))
    }

    /// Reads an annotation's value: base-10 seconds. `Ok` has the life and, where it had to be
    /// moved, what to tell; `Err` says why it cannot be read at all.
    ///
    /// # Errors
    /// When it is no whole number.
    pub fn read(text: &str) -> Result<(Self, Option<String>), String> {
        let seconds: i64 =
            text.parse().map_err(|_| "it is no whole number of seconds".to_owned())?;
        let clamped = Self::clamped(seconds);
        let moved = (i64::from(clamped.0) != seconds)
            .then(|| format!("{} is used, as 600 to 86400 s are allowed", clamped.0));
        Ok((clamped, moved))
    }

    /// The life in seconds.
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
    fn a_life_is_kept_within_what_is_allowed() {
        for (text, seconds, moved) in [
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
            let (life, told) = TokenExpiration::read(text).unwrap();
            assert_eq!((life.seconds(), told.is_some()), (seconds, moved), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "abc", " 3600", "3600.5", "1e4", "99999999999999999999"] {
            assert!(TokenExpiration::read(text).is_err(), "{text}");
        }
    }
}
