//! AssumeRoleForPodIdentity, as on EKS: EKS Auth gets the pod's token in a request that the node's
//! role signs, and chooses the pod's role from its associations.
//!
//! The response names the ServiceAccount that it is for; one for another ServiceAccount is
//! rejected.

pub(crate) mod answer;

use std::{sync::Arc, time::Duration};

use aws_credential_types::Credentials as Keys;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use futures::future::{BoxFuture, FutureExt as _};
use podrole_identity::Exchange;
use serde::Serialize;
use tokio::time::sleep;
use zeroize::Zeroizing;

use super::{
    Credentials, EndpointError, ErrorKind, ExchangeClient, ExchangeError, SessionRequest,
    eks_endpoint, endpoint_error::shown, source_credentials::SourceCredentials, sts::Endpoint,
};
use crate::{
    aws_clock::AwsClock, bearer_token::BearerToken, http_client, http_client::HttpClients,
    token::Caller,
};

const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A client of EKS Auth.
pub struct EksAuth {
    url: String,
    region: String,
    endpoint: String,
    /// The endpoint's URL, as errors show it.
    shown: Arc<str>,
    source: SourceCredentials,
    connector: Connector,
    aws_clock: AwsClock,
}

#[derive(Serialize)]
struct RequestBody<'a> {
    token: &'a str,
}

impl EksAuth {
    /// A client of the EKS Auth at `endpoint` for the cluster of this name, which signs with
    /// `source`.
    #[must_use]
    pub fn at(
        endpoint: &Endpoint,
        cluster: &str,
        clients: &HttpClients,
        source: SourceCredentials,
    ) -> Self {
        let base = endpoint.endpoint_url.clone();
        let base = base.unwrap_or_else(|| eks_endpoint::eks_auth(&endpoint.region, endpoint.fips));
        let base = base.trim_end_matches('/');
        Self {
            url: format!("{base}/clusters/{cluster}/assume-role-for-pod-identity"),
            region: endpoint.region.clone(),
            shown: shown(base),
            endpoint: format!("{} {base} {cluster}", endpoint.region),
            source,
            connector: clients.connector(),
            aws_clock: clients.aws_clock(),
        }
    }

    async fn fetch(
        &self,
        caller: &Caller,
        token: &BearerToken,
    ) -> Result<Credentials, ExchangeError> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        loop {
            let asked = self.fetch_once(caller, token).await;
            match asked {
                Err(error) if error.kind == ErrorKind::Transient && tries < TRIES => {
                    sleep(pause).await;
                    (tries, pause) = (tries + 1, pause * 2);
                }
                asked => return asked,
            }
        }
    }

    async fn fetch_once(
        &self,
        caller: &Caller,
        token: &BearerToken,
    ) -> Result<Credentials, ExchangeError> {
        let keys = self.source.get().await?;
        let request = self.request(token, &keys).ok_or_else(|| {
            let message = "could not build the request; check --region and --cluster-name";
            ExchangeError::new(ErrorKind::Agent, "BadRequestSettings", message)
        })?;
        let answer = http_client::send(&self.connector, request).await;
        let answer = answer
            .map_err(|what| ExchangeError::unreachable(&EndpointError::new(&self.shown, what)))?;
        answer.date.iter().for_each(|date| self.aws_clock.observe(date));
        let read = answer::read(&answer, caller, token)
            .map(|read| Credentials { expires: self.aws_clock.by_the_node(read.expires), ..read })
            .map_err(|error| error.with_status(&self.shown, answer.status))
            .map_err(|error| error.with_skew(self.aws_clock.ahead()));
        self.source.record_result(&keys, &read).await;
        read
    }

    /// The signed request.
    fn request(&self, token: &BearerToken, keys: &Keys) -> Option<HttpRequest> {
        // Large enough not to be reallocated: the memory that a growing buffer frees is not wiped.
        let mut body = Zeroizing::new(Vec::with_capacity(token.expose().len() + 64));
        serde_json::to_writer(&mut *body, &RequestBody { token: token.expose() }).ok()?;
        let identity = keys.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("eks-auth")
            .time(self.aws_clock.now().into())
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

impl ExchangeClient for EksAuth {
    fn kind(&self) -> Exchange {
        Exchange::EksAuth
    }

    fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn exchange<'a>(
        &'a self,
        _: &'a SessionRequest,
        caller: &'a Caller,
        token: &'a BearerToken,
    ) -> BoxFuture<'a, Result<Credentials, ExchangeError>> {
        self.fetch(caller, token).boxed()
    }
}

#[cfg(test)]
mod tests;
