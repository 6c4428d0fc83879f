//! The life of credentials.

use std::time::Duration;

/// Reads a life of credentials: `30s`, `5m`, `1h`.
///
/// # Errors
/// When it is no duration, or not longer than nothing.
pub fn read_life(text: &str) -> Result<Duration, String> {
    let life: jiff::SignedDuration =
        text.parse().map_err(|_| format!("{text:?} is no duration; write 30s, 5m or 1h"))?;
    match Duration::try_from(life) {
        Ok(life) if life >= Duration::from_secs(1) => Ok(life),
        _ => Err(format!("{text:?} is too short: a second is the least")),
    }
}
