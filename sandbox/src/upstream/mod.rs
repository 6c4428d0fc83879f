//! In front of an emulator: what is not STS, IAM or EKS Auth is passed on, once its signature is
//! proved. A pod without credentials is refused here as it would be by AWS.
//!
//! ```text
//!   request ─► destination: here | there ─► prove: key, time, headers, body ─► forward ─► LocalStack, moto, MinIO
//!                 └────────────────────────────────┴─► refusal, in the protocol of the service that was called
//! ```
//!
//! Only the signature is judged, and not what the identity may do. Faults that were asked for come
//! first, as in a service that is down.

pub(crate) mod answer;
mod args;
mod asked;
mod destination;
mod error;
mod forward;
pub(crate) mod protocol;
mod prove;
mod refusal;
mod resign;

use std::{fmt, str::FromStr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use jiff::Timestamp;

pub use self::{args::UpstreamArgs, error::UpstreamError};
use self::{
    asked::Asked, destination::Destination, forward::Forwarder, prove::Proved, refusal::Refusal,
    resign::Signer,
};
use crate::{
    Decision, Sandbox,
    call::Call,
    faults::{
        self,
        apply::{Wanted, refusal, spoil},
    },
    signature::authorization::Signed,
};

/// Bytes of a body that is signed, and so is read to its end before it is passed on.
const DEFAULT_BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The emulator that stands behind.
#[derive(Clone, Debug)]
pub struct Upstream {
    forwarder: Forwarder,
    sign: UpstreamSign,
    body_limit: usize,
}

/// How calls are signed when they are passed on.
#[derive(Clone)]
pub enum UpstreamSign {
    /// As they came: for emulators that look at no signature.
    AsItCame,
    /// With a key of the emulator's own.
    Again(UpstreamKey),
}

/// A key that the emulator knows.
#[derive(Clone)]
pub struct UpstreamKey {
    id: String,
    secret: String,
}

impl Upstream {
    /// An emulator at that URL.
    ///
    /// # Errors
    /// When the URL has a path or no host, or for HTTPS when there are no CA certificates.
    pub fn new(url: &str, sign: UpstreamSign) -> Result<Self, UpstreamError> {
        Ok(Self { forwarder: Forwarder::new(url)?, sign, body_limit: DEFAULT_BODY_LIMIT })
    }

    /// Takes signed bodies of at most that many bytes.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The sandbox's routes, and behind them the emulator for all that is not the sandbox's.
    pub fn behind(self, sandbox: &Sandbox) -> Router {
        let front = Arc::new(Front { sandbox: sandbox.clone(), upstream: self });
        sandbox.router().layer(from_fn_with_state(front, answer))
    }
}

/// What every request passes.
struct Front {
    sandbox: Sandbox,
    upstream: Upstream,
}

async fn answer(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let (request, destination) = destination::of(request).await;
    let signed = match destination {
        Destination::Here => return next.run(request).await,
        Destination::There(signed) => Ok(signed),
        Destination::Nowhere(refusal) => Err(refusal),
    };
    let asked = Asked::of(&Call::head(&request), signed.as_ref().ok());
    let wanted = match Wanted::read(&front.sandbox, request.headers()) {
        Ok(None) => return front.answer(request, signed, &asked).await,
        Ok(Some(wanted)) => wanted,
        Err(fault) => return refusal(&fault),
    };
    let (asked, request) = asked.with_action(request).await;
    let pass = |request| front.answer(request, signed, &asked);
    match wanted.due(&front.sandbox, &asked.operation) {
        None => pass(request).await,
        Some(rule) => spoil(&rule, &asked.for_faults(), &front.sandbox, request, pass).await,
    }
}

impl Front {
    async fn answer(
        &self,
        request: Request,
        signed: Result<Signed, Refusal>,
        asked: &Asked,
    ) -> Response {
        let now = faults::apply::now(request.extensions());
        let answered = match signed {
            Ok(signed) => self.pass_on(request, &signed, asked, now).await,
            Err(refusal) => Err(refusal),
        };
        answered.unwrap_or_else(|refusal| self.refuse(&refusal, asked, now))
    }

    async fn pass_on(
        &self,
        request: Request,
        signed: &Signed,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let key = prove::key(&Call::head(&request), signed, |id| self.sandbox.key(id), now)?;
        let limit = self.upstream.body_limit;
        let proved = prove::body(request, signed, &key, limit, self.decodes()).await?;
        self.note(asked, None, format!("passed on, signed by {}", key.arn), now);
        self.upstream.forwarder.send(self.signed_for_it(proved, signed, now)?).await
    }

    /// Whether bodies are put together again: they are, where they are signed again.
    fn decodes(&self) -> bool {
        matches!(self.upstream.sign, UpstreamSign::Again(_))
    }

    fn signed_for_it(
        &self,
        proved: Proved,
        signed: &Signed,
        now: Timestamp,
    ) -> Result<Request, Refusal> {
        match &self.upstream.sign {
            UpstreamSign::AsItCame => Ok(proved.unchanged()),
            UpstreamSign::Again(UpstreamKey { id, secret }) => {
                Signer { id, secret, at: now }.sign(proved, signed)
            }
        }
    }

    fn refuse(&self, refusal: &Refusal, asked: &Asked, now: Timestamp) -> Response {
        let (code, _) = refusal.code(asked.protocol);
        self.note(asked, Some(code), refusal.reason(), now);
        answer::refusal(refusal, asked.protocol)
    }

    fn note(&self, asked: &Asked, code: Option<&'static str>, reason: String, now: Timestamp) {
        self.sandbox.write(Decision {
            at: now,
            operation: asked.operation.clone().into(),
            allowed: code.is_none(),
            code: code.map(Into::into),
            role: None,
            reason,
        });
    }
}

impl FromStr for UpstreamSign {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            _ if text == "as-it-came" => Ok(Self::AsItCame),
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() => {
                Ok(Self::Again(UpstreamKey { id: id.to_owned(), secret: secret.to_owned() }))
            }
            // What was given may be a secret, and is not repeated.
            _ => Err("write as-it-came, or KEY_ID:SECRET"),
        }
    }
}

impl fmt::Debug for UpstreamSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsItCame => f.write_str("AsItCame"),
            Self::Again(key) => f.debug_tuple("Again").field(&key.id).finish(),
        }
    }
}

#[cfg(test)]
mod tests;
