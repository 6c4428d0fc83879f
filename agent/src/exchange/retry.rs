//! A life that a role does not allow is asked for once more at an hour, which every role allows.

use super::{Credentials, ExchangeError, Hop};

/// Asks with `duration`; when AWS says that it is the duration, once more without one.
pub(super) async fn once_at_an_hour<F, A>(
    hop: &Hop,
    duration: Option<u32>,
    ask: F,
) -> Result<Credentials, ExchangeError>
where
    F: Fn(Option<u32>) -> A,
    A: Future<Output = Result<Credentials, ExchangeError>>,
{
    let asked = ask(duration).await;
    match (asked, duration) {
        (Err(error), Some(seconds)) if is_about_the_duration(&error) => {
            let role = hop.role.as_str();
            tracing::warn!(role, seconds, "the role allows no session so long; one hour is taken");
            ask(None).await
        }
        (asked, _) => asked,
    }
}

fn is_about_the_duration(error: &ExchangeError) -> bool {
    error.code == "ValidationError" && error.message.to_lowercase().contains("durationseconds")
}
