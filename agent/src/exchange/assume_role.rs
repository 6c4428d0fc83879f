//! AssumeRole with the agent's own credentials: the pod's token is verified here and not sent.

use futures::future::{BoxFuture, FutureExt as _};
use podrole_identity::Exchange;

use super::{
    Credentials, ExchangeClient, ExchangeError, SessionRequest,
    source_credentials::SourceCredentials,
    sts::{Endpoint, Sts},
    web_identity::no_role,
};
use crate::{bearer_token::BearerToken, http_client::HttpClients, token::Caller};

/// STS, called with the agent's own credentials.
pub struct AssumeRole {
    sts: Sts,
    source: SourceCredentials,
}

impl AssumeRole {
    /// A client of the STS at `endpoint` that signs with `source`.
    #[must_use]
    pub fn at(endpoint: &Endpoint, clients: &HttpClients, source: SourceCredentials) -> Self {
        Self { sts: Sts::new(Exchange::AssumeRole, endpoint, clients), source }
    }

    async fn fetch(&self, session: &SessionRequest) -> Result<Credentials, ExchangeError> {
        let first = session.steps.first().ok_or_else(no_role)?;
        let keys = self.source.get().await?;
        let name = &session.session_name;
        let first = self.sts.with_keys(first, name, &session.tags, &keys).await;
        // Only the first step is signed with the source credentials.
        self.source.record_result(&keys, &first).await;
        self.sts.chain(session, first?).await
    }
}

impl ExchangeClient for AssumeRole {
    fn kind(&self) -> Exchange {
        Exchange::AssumeRole
    }

    fn endpoint(&self) -> &str {
        self.sts.name()
    }

    fn sends_the_token(&self) -> bool {
        false
    }

    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        _: &'a Caller,
        _: &'a BearerToken,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        self.fetch(session).boxed()
    }
}
