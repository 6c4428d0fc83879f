//! AssumeRole with the agent's own credentials: the pod's token is checked here and goes nowhere.

use futures::future::{BoxFuture, FutureExt as _};
use podrole_identity::Exchange as Kind;

use super::{
    Credentials, Exchange, ExchangeError, SessionRequest,
    own::OwnCredentials,
    sts::{Place, Sts},
    web_identity::no_role,
};
use crate::{http_client::HttpClients, secret::Secret, token::Caller};

/// STS, asked with credentials of the agent's own.
pub struct AssumeRole {
    sts: Sts,
    own: OwnCredentials,
}

impl AssumeRole {
    /// Asks the STS at `place`, signed with `own`.
    #[must_use]
    pub fn at(place: &Place, clients: &HttpClients, own: OwnCredentials) -> Self {
        Self { sts: Sts::new(Kind::AssumeRole, place, clients), own }
    }

    async fn ask(&self, session: &SessionRequest) -> Result<Credentials, ExchangeError> {
        let first = session.hops.first().ok_or_else(no_role)?;
        let keys = self.own.get().await?;
        let name = &session.session_name;
        let first = self.sts.with_keys(first, name, &session.tags, &keys).await;
        self.own.hear(&keys, &first).await;
        self.sts.chain(session, first?).await
    }
}

impl Exchange for AssumeRole {
    fn kind(&self) -> Kind {
        Kind::AssumeRole
    }

    fn place(&self) -> &str {
        self.sts.name()
    }

    fn sends_the_token(&self) -> bool {
        false
    }

    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        _: &'a Caller,
        _: &'a Secret,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        self.ask(session).boxed()
    }
}
