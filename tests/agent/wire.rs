//! The way from the agent's SDK to the sandbox: no socket, the agent's own time, and a switch.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_smithy_runtime_api::client::{
    http::{
        HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use jiff::{SignedDuration, Timestamp};
use podrole_agent::clock::Clock;
use tower::ServiceExt as _;

/// Clones are the same wire.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Inner>);

struct Inner {
    sandbox: Router,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: usize,
    refused: usize,
    outage: Option<Outage>,
}

#[derive(Clone, Copy)]
enum Outage {
    /// It begins the instant before the next call arrives.
    Next(SignedDuration),
    Until(Timestamp),
}

impl Wire {
    pub(crate) fn to(sandbox: Router, clock: Clock) -> Self {
        Self(Arc::new(Inner { sandbox, clock, state: Mutex::default() }))
    }

    /// What an SDK calls through.
    pub(crate) fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }

    /// STS is away for so long, from the instant before the next call.
    pub(crate) fn breaks_at_the_next_call(&self, lasts: SignedDuration) {
        self.lock().outage = Some(Outage::Next(lasts));
    }

    /// How many calls got through.
    pub(crate) fn calls(&self) -> usize {
        self.lock().calls
    }

    /// How many did not.
    pub(crate) fn refused(&self) -> usize {
        self.lock().refused
    }

    fn is_broken(&self) -> bool {
        let (now, mut state) = (self.0.clock.now(), self.lock());
        if let Some(Outage::Next(lasts)) = state.outage {
            state.outage = Some(Outage::Until(now + lasts));
        }
        let broken = matches!(state.outage, Some(Outage::Until(end)) if now < end);
        if broken {
            state.refused += 1;
        } else {
            state.calls += 1;
        }
        broken
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let broken = |text: &str| ConnectorError::io(text.into());
        if self.is_broken() {
            return Err(broken("STS is away"));
        }
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let mut passed =
            Request::post("/").body(Body::from(body)).map_err(|_| broken("request"))?;
        for (name, value) in request.headers() {
            let name: axum::http::HeaderName = name.parse().map_err(|_| broken("header"))?;
            let value = value.parse().map_err(|_| broken("header"))?;
            passed.headers_mut().insert(name, value);
        }
        // The sandbox judges by the agent's time.
        let ahead = self.0.clock.now().duration_since(podrole_runtime::clock::now());
        if ahead.as_millis() > 0 {
            let skew = format!("clockSkew={}ms", ahead.as_millis());
            let skew = skew.parse().map_err(|_| broken("header"))?;
            passed.headers_mut().insert("x-podrole-fault", skew);
        }
        let answer = self.0.sandbox.clone().oneshot(passed).await;
        let answer = answer.unwrap_or_else(|never| match never {});
        let status = answer.status().as_u16().try_into().map_err(|_| broken("status"))?;
        let body = to_bytes(answer.into_body(), 1 << 20).await.map_err(|_| broken("body"))?;
        Ok(HttpResponse::new(status, body.to_vec().into()))
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().pass(request))
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}
