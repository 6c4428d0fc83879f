//! Passes calls to other services than STS, IAM and EKS Auth on to an emulator, after their signature is
//! verified. A pod without credentials gets AWS's error here.
//!
//! ```text
//!   request ─► destination ─► verify: key, time, headers, body ─► forward ─► LocalStack, moto, MinIO
//!                 └──────────────────┴─► response: an error in the protocol of the called service
//! ```
//!
//! Signatures are verified, permissions are not. Faults are injected before the verification, like errors of
//! a service that is down.

mod args;
mod destination;
mod error;
mod forward;
mod forward_error;
mod operation;
pub(crate) mod protocol;
mod resign;
pub(crate) mod response;
mod verify;

use std::{fmt, str::FromStr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use jiff::Timestamp;

pub use self::{
    args::UpstreamArgs,
    error::{UpstreamError, UpstreamSignError},
};
use self::{
    destination::Destination, forward::Forwarder, forward_error::ForwardError,
    operation::UpstreamOperation, resign::Signer, verify::VerifiedRequest,
};
use crate::{
    Decision, Sandbox,
    call::Call,
    faults::{
        self,
        apply::{PendingFault, bad_request, spoil},
    },
    prefetch::prefetch_role,
    signature::authorization::RequestSignature,
};

/// Maximum bytes of a signed body, which is read to its end before it is passed on.
const DEFAULT_BODY_LIMIT: usize = 64 * 1024 * 1024;

/// An upstream emulator.
#[derive(Clone, Debug)]
pub struct Upstream {
    forwarder: Forwarder,
    sign: UpstreamSign,
    body_limit: usize,
}

/// How calls are signed for the emulator.
#[derive(Clone)]
pub enum UpstreamSign {
    /// The client's signature is kept, for emulators that do not verify signatures.
    AsItCame,
    /// Calls are signed again with the emulator's key.
    Again(UpstreamKey),
}

/// An access key of the emulator.
#[derive(Clone)]
pub struct UpstreamKey {
    id: String,
    secret: String,
}

impl Upstream {
    /// An emulator at that URL.
    ///
    /// # Errors
    /// If the URL has a path or no host, or for https if there are no CA certificates.
    pub fn new(url: &str, sign: UpstreamSign) -> Result<Self, UpstreamError> {
        Ok(Self { forwarder: Forwarder::new(url)?, sign, body_limit: DEFAULT_BODY_LIMIT })
    }

    /// Sets the maximum size of signed bodies.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// The sandbox's routes, with the emulator for everything else.
    pub fn behind(self, sandbox: &Sandbox) -> Router {
        let layer = Arc::new(UpstreamLayer { sandbox: sandbox.clone(), upstream: self });
        sandbox.router().layer(from_fn_with_state(layer, answer))
    }
}

/// The middleware that decides for every request.
struct UpstreamLayer {
    sandbox: Sandbox,
    upstream: Upstream,
}

async fn answer(State(layer): State<Arc<UpstreamLayer>>, request: Request, next: Next) -> Response {
    let (request, destination) = destination::of(request).await;
    let signed = match destination {
        Destination::Sandbox => return next.run(request).await,
        Destination::Upstream(signed) => Ok(signed),
        Destination::Rejected(error) => Err(error),
    };
    let operation = UpstreamOperation::of(&Call::head(&request), signed.as_ref().ok());
    let pending = match PendingFault::read(&layer.sandbox, request.headers()) {
        Ok(None) => return layer.answer(request, signed, &operation).await,
        Ok(Some(pending)) => pending,
        Err(error) => return bad_request(&error.to_string()),
    };
    let (operation, request) = operation.with_action(request).await;
    let pass = |request| layer.answer(request, signed, &operation);
    match pending.due(&layer.sandbox, &operation.name) {
        None => pass(request).await,
        Some(rule) => spoil(&rule, &operation.for_faults(), &layer.sandbox, request, pass).await,
    }
}

impl UpstreamLayer {
    async fn answer(
        &self,
        request: Request,
        signed: Result<RequestSignature, ForwardError>,
        operation: &UpstreamOperation,
    ) -> Response {
        let now = faults::apply::now(request.extensions());
        let answered = match signed {
            Ok(signed) => self.pass_on(request, &signed, operation, now).await,
            Err(error) => Err(error),
        };
        answered.unwrap_or_else(|error| self.reject(&error, operation, now))
    }

    async fn pass_on(
        &self,
        request: Request,
        signed: &RequestSignature,
        operation: &UpstreamOperation,
        now: Timestamp,
    ) -> Result<Response, ForwardError> {
        prefetch_role(&self.sandbox, &Call::head(&request), now).await;
        let key =
            verify::key(&Call::head(&request), signed, |signed| self.sandbox.key(signed), now)?;
        let limit = self.upstream.body_limit;
        let verified = verify::body(request, signed, &key, limit, self.decodes()).await?;
        self.note(operation, None, format!("passed on, signed by {}", key.arn), now);
        self.upstream.forwarder.send(self.signed_for_it(verified, signed, now)?).await
    }

    /// Whether chunked bodies are decoded: only if they are signed again.
    fn decodes(&self) -> bool {
        matches!(self.upstream.sign, UpstreamSign::Again(_))
    }

    fn signed_for_it(
        &self,
        verified: VerifiedRequest,
        signed: &RequestSignature,
        now: Timestamp,
    ) -> Result<Request, ForwardError> {
        match &self.upstream.sign {
            UpstreamSign::AsItCame => Ok(verified.unchanged()),
            UpstreamSign::Again(UpstreamKey { id, secret }) => {
                Signer { id, secret, at: now }.sign(verified, signed)
            }
        }
    }

    fn reject(
        &self,
        error: &ForwardError,
        operation: &UpstreamOperation,
        now: Timestamp,
    ) -> Response {
        let (code, _) = error.code(operation.protocol);
        self.note(operation, Some(code), error.reason(), now);
        response::of(error, operation.protocol)
    }

    fn note(
        &self,
        operation: &UpstreamOperation,
        code: Option<&'static str>,
        reason: String,
        now: Timestamp,
    ) {
        self.sandbox.write(Decision {
            at: now,
            request_id: None,
            operation: operation.name.clone().into(),
            allowed: code.is_none(),
            code: code.map(Into::into),
            role: None,
            reason,
        });
    }
}

impl FromStr for UpstreamSign {
    type Err = UpstreamSignError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            _ if text == "as-it-came" => Ok(Self::AsItCame),
            Some((id, secret)) if !id.is_empty() && !secret.is_empty() => {
                Ok(Self::Again(UpstreamKey { id: id.to_owned(), secret: secret.to_owned() }))
            }
            _ => Err(UpstreamSignError),
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
