//! AssumeRoleWithWebIdentity with the pod's own token: the agent needs no credentials at all.

use futures::future::{BoxFuture, FutureExt as _};
use podrole_identity::Exchange;

use super::{
    Credentials, ErrorKind, ExchangeClient, ExchangeError, SessionRequest,
    sts::{Endpoint, Sts},
};
use crate::{bearer_token::BearerToken, http_client::HttpClients, token::Caller};

/// STS, called with pods' tokens.
pub struct WebIdentity {
    sts: Sts,
}

impl WebIdentity {
    /// A client of the STS of `region`, or of the one at `endpoint_url`.
    #[must_use]
    pub fn new(region: &str, endpoint_url: Option<&str>) -> Self {
        let endpoint = Endpoint {
            region: region.to_owned(),
            endpoint_url: endpoint_url.map(str::to_owned),
            ..Endpoint::default()
        };
        Self::at(&endpoint, &HttpClients::default())
    }

    /// A client of the STS at `endpoint`.
    #[must_use]
    pub fn at(endpoint: &Endpoint, clients: &HttpClients) -> Self {
        Self { sts: Sts::new(Exchange::WebIdentity, endpoint, clients) }
    }

    async fn fetch(
        &self,
        session: &SessionRequest,
        token: &BearerToken,
    ) -> Result<Credentials, ExchangeError> {
        let first = session.steps.first().ok_or_else(no_role)?;
        let first = self.sts.with_token(first, &session.session_name, token).await?;
        self.sts.chain(session, first).await
    }
}

/// A session without a role. Roles are resolved before a session is requested, so this is a bug.
pub(super) fn no_role() -> ExchangeError {
    ExchangeError::new(ErrorKind::NoAssociation, "NoRole", "the session names no role")
}

impl ExchangeClient for WebIdentity {
    fn kind(&self) -> Exchange {
        Exchange::WebIdentity
    }

    fn endpoint(&self) -> &str {
        self.sts.name()
    }

    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        _: &'a Caller,
        token: &'a BearerToken,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        self.fetch(session, token).boxed()
    }
}
