//! AssumeRoleForPodIdentity, as on EKS: EKS Auth gets the pod's token, signed by the node's role,
//! and chooses the role itself.
//!
//! The answer names whom it is for, and is believed only when that is who asked.

mod answer;

use std::time::Duration;

use aws_credential_types::Credentials as Keys;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use futures::future::{BoxFuture, FutureExt as _};
use podrole_identity::Exchange as Kind;
use serde::Serialize;
use tokio::time::sleep;
use zeroize::Zeroizing;

use super::{
    Credentials, ErrorKind, Exchange, ExchangeError, SessionRequest, eks_endpoint,
    own::OwnCredentials, sts::Place,
};
use crate::{clock::Clock, http_client, http_client::HttpClients, secret::Secret, token::Caller};

const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// EKS Auth.
pub struct EksAuth {
    url: String,
    region: String,
    place: String,
    own: OwnCredentials,
    connector: Connector,
    clock: Clock,
}

#[derive(Serialize)]
struct Question<'a> {
    token: &'a str,
}

impl EksAuth {
    /// Asks the EKS Auth of `place` for the cluster of this name, signed with `own`.
    #[must_use]
    pub fn at(
        place: &Place,
        cluster: &str,
        clients: &HttpClients,
        own: OwnCredentials,
        clock: Clock,
    ) -> Self {
        let base = place.endpoint_url.clone();
        let base = base.unwrap_or_else(|| eks_endpoint::eks_auth(&place.region, place.fips));
        let base = base.trim_end_matches('/');
        Self {
            url: format!("{base}/clusters/{cluster}/assume-role-for-pod-identity"),
            region: place.region.clone(),
            place: format!("{} {base} {cluster}", place.region),
            own,
            connector: clients.connector(),
            clock,
        }
    }

    async fn ask(&self, caller: &Caller, token: &Secret) -> Result<Credentials, ExchangeError> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let asked = self.ask_once(caller, token).await;
            match asked {
                Err(error) if error.kind == ErrorKind::Transient && tries < TRIES => {
                    sleep(pause).await;
                    (tries, pause) = (tries + 1, pause * 2);
                }
                asked => return asked,
            }
        }
    }

    async fn ask_once(
        &self,
        caller: &Caller,
        token: &Secret,
    ) -> Result<Credentials, ExchangeError> {
        let keys = self.own.get().await?;
        let request = self.request(token, &keys).ok_or_else(|| {
            let message = "the request could not be made; check --region and --cluster-name";
            ExchangeError::new(ErrorKind::Ours, "BadRequestSettings", message)
        })?;
        let answer = http_client::send(&self.connector, request).await;
        let answer = answer.map_err(|code| {
            ExchangeError::new(ErrorKind::Transient, code, "EKS Auth gave no usable answer")
        })?;
        let read = answer::read(&answer, caller, token);
        self.own.hear(&keys, &read).await;
        read
    }

    /// The question, signed.
    fn request(&self, token: &Secret, keys: &Keys) -> Option<HttpRequest> {
        // Large enough not to move: what a growing buffer leaves behind is not wiped.
        let mut body = Zeroizing::new(Vec::with_capacity(token.expose().len() + 64));
        serde_json::to_writer(&mut *body, &Question { token: token.expose() }).ok()?;
        let identity = keys.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("eks-auth")
            .time(self.clock.now().into())
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let kind = ("content-type", "application/json");
        let signable =
            SignableRequest::new("POST", &self.url, [kind].into_iter(), SignableBody::Bytes(&body));
        let (signing, _) = sign(signable.ok()?, &params).ok()?.into_parts();
        let request = http::Request::post(&self.url).header(kind.0, kind.1);
        let mut request = request.body(body.to_vec().into()).ok()?;
        signing.apply_to_request_http1x(&mut request);
        request.try_into().ok()
    }
}

impl Exchange for EksAuth {
    fn kind(&self) -> Kind {
        Kind::EksAuth
    }

    fn place(&self) -> &str {
        &self.place
    }

    fn exchange<'a>(
        &'a self,
        _: &'a SessionRequest,
        caller: &'a Caller,
        token: &'a Secret,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        self.ask(caller, token).boxed()
    }
}

#[cfg(test)]
mod tests;
