//! Why a request gets no credentials, and how to fix it.

mod hint;
mod token_hint;

use std::sync::Arc;

use podrole_identity::Exchange;

use crate::{
    exchange::{EndpointError, ErrorKind, ExchangeError, SessionRequest},
    keys::VerifyError,
    node::NodeError,
    resolve::ResolveError,
    token::{Caller, TokenError},
};

/// A request that gets no credentials. The status, the code and the message follow from the
/// variant.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The token is not valid.
    #[error(transparent)]
    Token(#[from] VerifyError),
    /// The pod is not alive or not on this node.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The request comes from another address than the pod's.
    #[error(
        "the request does not come from the token's pod; send the pod's own token, and without a \
         proxy"
    )]
    ForeignPeer,
    /// The request comes from an address that no pod is known to have.
    #[error(
        "the request's address is not known to be the pod's; retry in a second, send the pod's own \
         token, and send it without a proxy"
    )]
    UnknownPeer,
    /// The pod is over its request limit.
    #[error("this pod sends too many requests; retry in a second, and cache the credentials")]
    TooManyRequests,
    /// The ServiceAccount has no role that may be assumed.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// AWS returned an error; the text says how to fix it.
    #[error("{1}")]
    Exchange(Arc<ExchangeError>, String),
    /// The fetch takes longer than a client waits.
    #[error("the credentials are still being fetched from AWS; retry in a second")]
    StillFetching,
    /// The same, and the last call to AWS has shown why.
    #[error("AWS is not available right now: {0}; retry in a few seconds")]
    Outage(EndpointError),
}

impl Refusal {
    /// A refusal for AWS's error, with a hint for this caller. It leaves out AWS's message, which may
    /// name other principals.
    #[must_use]
    pub fn exchange(
        error: Arc<ExchangeError>,
        kind: Exchange,
        caller: &Caller,
        session: &SessionRequest,
    ) -> Self {
        let hint = hint::hint(&error, kind, caller, session);
        Self::Exchange(error, hint)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Token(VerifyError::KeyPending)
            | Self::StillFetching
            | Self::Outage(_)
            | Self::TooManyRequests
            | Self::UnknownPeer => 503,
            Self::Token(VerifyError::Token(TokenError::NoPod | TokenError::Legacy)) => 403,
            Self::Token(_) => 400,
            Self::Node(NodeError::Unknown(_)) => 503,
            Self::Node(_) | Self::ForeignPeer => 403,
            Self::Resolve(error) => error.status(),
            Self::Exchange(error, _) => error.kind.status(),
        }
    }

    /// Whether a retry fails too, until something is fixed.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.status() < 500
    }

    /// The code in the answer, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match (self, self.status()) {
            (_, 503) => "TryAgain",
            (Self::Token(_), _) => "InvalidToken",
            (Self::Node(_) | Self::ForeignPeer, _) => "PodNotServed",
            (Self::Resolve(error), _) => error.code(),
            (Self::Exchange(error, _), _) => match error.kind {
                ErrorKind::NoAssociation => "NoRole",
                ErrorKind::Role => "AccessDenied",
                ErrorKind::Token => "InvalidToken",
                _ => "InvalidRequest",
            },
            (
                Self::StillFetching | Self::Outage(_) | Self::TooManyRequests | Self::UnknownPeer,
                _,
            ) => "TryAgain",
        }
    }

    /// The label value in metrics.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Token(VerifyError::KeyPending) => "keys",
            Self::Token(_) => "token",
            Self::Node(NodeError::Unknown(_)) => "cluster",
            Self::Node(_) => "pod",
            Self::ForeignPeer | Self::UnknownPeer => "peer",
            Self::TooManyRequests => "rate_limit",
            Self::Resolve(error) => error.outcome(),
            Self::Exchange(error, _) => match error.kind {
                ErrorKind::NoAssociation => "association",
                ErrorKind::Role => "aws_role",
                ErrorKind::Token => "aws_token",
                ErrorKind::Transient => "aws_transient",
                ErrorKind::Agent => "agent",
                ErrorKind::Request => "aws_request",
            },
            Self::StillFetching | Self::Outage(_) => "slow",
        }
    }
}
