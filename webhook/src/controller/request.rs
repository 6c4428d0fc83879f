//! Requests to the API server that end.

use std::time::Duration;

use podrole_runtime::error_text::with_root;
use tokio::time::timeout;

/// How long the API server may take for one request.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The answer to a request.
///
/// # Errors
/// Says in one line what went wrong, also if there is no answer in time.
pub(super) async fn bounded<T>(
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, String> {
    match timeout(PATIENCE, request).await {
        Ok(answer) => answer.map_err(|error| with_root(&error)),
        Err(_) => Err("no answer within 5 s".to_owned()),
    }
}
