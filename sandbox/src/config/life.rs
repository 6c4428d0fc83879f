//! How long issued credentials live.

use std::time::Duration;

/// Why a text is not a life of credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LifeError {
    /// The text is not a duration.
    #[error("{0:?} is not a duration; write 30s, 5m or 1h")]
    NotADuration(String),
    /// It is less than a second.
    #[error("{0:?} is too short; use 1s or more")]
    TooShort(String),
}

/// Reads a life of credentials: `30s`, `5m`, `1h`.
///
/// # Errors
/// If the text is not a duration, or is less than a second.
pub fn read_life(text: &str) -> Result<Duration, LifeError> {
    let life: jiff::SignedDuration =
        text.parse().map_err(|_| LifeError::NotADuration(text.to_owned()))?;
    match Duration::try_from(life) {
        Ok(life) if life >= Duration::from_secs(1) => Ok(life),
        _ => Err(LifeError::TooShort(text.to_owned())),
    }
}
