//! A fetch that several requests wait for.

use std::sync::Arc;

use tokio::sync::watch;

use super::{credentials::CachedCredentials, request::RefreshToken};
use crate::{bearer_token::TokenHash, exchange::ExchangeError};

/// What a fetch returned, and the token that it was made with.
pub(crate) type FetchResult = (Result<Arc<CachedCredentials>, Arc<ExchangeError>>, TokenHash);

/// The result of a fetch, once there is one.
pub(super) type InFlight = watch::Receiver<Option<FetchResult>>;

/// Permission to fetch. Its holder must send a result; if it is dropped, those who wait get an
/// error.
pub(super) struct FetchPermit {
    pub(super) token: RefreshToken,
    pub(super) result: watch::Sender<Option<FetchResult>>,
}

/// Waits for the result of a fetch.
pub(super) async fn join(mut in_flight: InFlight) -> Result<FetchResult, Arc<ExchangeError>> {
    let result = in_flight.wait_for(Option::is_some).await;
    let result = result.ok().and_then(|result| result.clone());
    let lost = || ExchangeError::transient("Lost", "the fetch ended without a result");
    result.ok_or_else(|| Arc::new(lost()))
}
