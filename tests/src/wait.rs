//! Waiting for what is to come: it is looked for again and again, and not for ever.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Looks until something is there.
///
/// # Errors
/// When it is not there within `patience`; what failed in the last look is told.
pub async fn found<T>(
    what: &str,
    patience: Duration,
    look: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        let fault = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => String::new(),
            Err(fault) => format!(": {fault:#}"),
        };
        if begun.elapsed() > patience {
            bail!("waited {} s for {what}{fault}", patience.as_secs());
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Looks until it is so.
///
/// # Errors
/// As [`found`].
pub async fn until(
    what: &str,
    patience: Duration,
    so: impl AsyncFn() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    found(what, patience, async || Ok(so().await?.then_some(()))).await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_is_given_and_what_does_not_is_told_with_the_last_fault() {
        let looks = Cell::new(0);
        let third = async || {
            looks.set(looks.get() + 1);
            anyhow::ensure!(looks.get() > 1, "nothing yet");
            Ok((looks.get() == 3).then_some("it"))
        };
        assert_eq!(found("it", Duration::from_secs(1), third).await.unwrap(), "it");
        let never = until("never", Duration::from_secs(1), async || bail!("no")).await;
        assert_eq!(never.unwrap_err().to_string(), "waited 1 s for never: no");
    }
}
