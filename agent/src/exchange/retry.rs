//! Retries a session duration that the role does not allow with AWS's default, which it does.

use super::{Credentials, ExchangeError, RoleStep};

/// Calls `ask` with `duration`, and once more without one if AWS rejects the duration. Every role
/// allows the default of an hour.
pub(super) async fn with_default_duration<F, A>(
    step: &RoleStep,
    duration: Option<u32>,
    ask: F,
) -> Result<Credentials, ExchangeError>
where
    F: Fn(Option<u32>) -> A,
    A: Future<Output = Result<Credentials, ExchangeError>>,
{
    let asked = ask(duration).await;
    match (asked, duration) {
        (Err(error), Some(seconds)) if rejects_the_duration(&error) => {
            let role = step.role.as_str();
            tracing::warn!(
                role,
                seconds,
                "the role does not allow a session this long; using one hour"
            );
            ask(None).await
        }
        (asked, _) => asked,
    }
}

fn rejects_the_duration(error: &ExchangeError) -> bool {
    error.code == "ValidationError" && error.message.to_lowercase().contains("durationseconds")
}
