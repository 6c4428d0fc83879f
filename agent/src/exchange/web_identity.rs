//! AssumeRoleWithWebIdentity with the pod's own token: the agent needs no credentials at all.

use futures::future::{BoxFuture, FutureExt as _};
use podrole_identity::Exchange as Kind;

use super::{
    Credentials, ErrorKind, Exchange, ExchangeError, SessionRequest,
    sts::{Place, Sts},
};
use crate::{http_client::HttpClients, secret::Secret, token::Caller};

/// STS, asked with web-identity tokens.
pub struct WebIdentity {
    sts: Sts,
}

impl WebIdentity {
    /// Asks the STS of `region`, or the one at `endpoint_url`.
    #[must_use]
    pub fn new(region: &str, endpoint_url: Option<&str>) -> Self {
        let place = Place {
            region: region.to_owned(),
            endpoint_url: endpoint_url.map(str::to_owned),
            ..Place::default()
        };
        Self::at(&place, &HttpClients::default())
    }

    /// Asks the STS at `place`.
    #[must_use]
    pub fn at(place: &Place, clients: &HttpClients) -> Self {
        Self { sts: Sts::new(Kind::WebIdentity, place, clients) }
    }

    async fn ask(
        &self,
        session: &SessionRequest,
        token: &Secret,
    ) -> Result<Credentials, ExchangeError> {
        let first = session.hops.first().ok_or_else(no_role)?;
        let first = self.sts.with_token(first, &session.session_name, token).await?;
        self.sts.chain(session, first).await
    }
}

/// Nobody asks so: roles are resolved before.
pub(super) fn no_role() -> ExchangeError {
    ExchangeError::new(ErrorKind::NoAssociation, "NoRole", "no role was asked for")
}

impl Exchange for WebIdentity {
    fn kind(&self) -> Kind {
        Kind::WebIdentity
    }

    fn place(&self) -> &str {
        self.sts.name()
    }

    fn exchange<'a>(
        &'a self,
        session: &'a SessionRequest,
        _: &'a Caller,
        token: &'a Secret,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        self.ask(session, token).boxed()
    }
}
