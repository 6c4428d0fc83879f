//! Waits for a condition by polling, with a time limit.

use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Polls until `look` returns a value.
///
/// # Errors
/// If it is not there within `patience`; the message has the last look's error.
pub async fn found<T>(
    what: &str,
    patience: Duration,
    look: impl AsyncFn() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        let error = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => String::new(),
            Err(error) => format!(": {error:#}"),
        };
        if begun.elapsed() > patience {
            bail!("waited {} s for {what}{error}", patience.as_secs());
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Polls until `so` returns true.
///
/// # Errors
/// The same as [`found`].
pub async fn until(
    what: &str,
    patience: Duration,
    so: impl AsyncFn() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    found(what, patience, async || Ok(so().await?.then_some(()))).await
}

/// Tries a timed scenario up to three times. A machine that is busy with other work may be too late
/// in one of them; what the scenario shows must fail in all three without the code that it tests.
///
/// # Errors
/// If it fails each time; the message is the last error.
pub async fn one_of_three(scenario: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    for attempt in 1..3 {
        match scenario().await {
            Ok(()) => return Ok(()),
            Err(error) => println!("attempt {attempt}: {error:#}"),
        }
    }
    scenario().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_result_is_returned_and_a_timeout_has_the_last_error() {
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
