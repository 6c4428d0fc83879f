//! Why a request gets no credentials, and what mends it.

mod mend;

use std::sync::Arc;

use podrole_identity::Exchange as Kind;

use crate::{
    exchange::{ErrorKind, ExchangeError, SessionRequest},
    keys::VerifyError,
    node::NodeError,
    resolve::ResolveError,
    token::{Caller, TokenError},
};

/// The end of a request without credentials. The type says whose error it is; the status, the
/// code and the message follow from it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The token is not believed.
    #[error(transparent)]
    Token(#[from] VerifyError),
    /// The pod is not alive or not here.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The request comes from another address than the pod's.
    #[error(
        "the request does not come from the token's pod; a pod sends its own token, without a \
         proxy in between"
    )]
    Peer,
    /// The pod asks more often than any SDK needs.
    #[error("this pod asks too often; ask again in a second, and keep what you get")]
    TooOften,
    /// The ServiceAccount leads to no role.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// AWS gave nothing; the second part is the mend.
    #[error("{1}")]
    Exchange(Arc<ExchangeError>, String),
    /// It takes longer than a client waits.
    #[error("the credentials are still being fetched; ask again")]
    StillFetching,
}

impl Refusal {
    /// What AWS said, with a mend for this caller. AWS's own words stay out: they name others.
    #[must_use]
    pub fn exchange(
        error: Arc<ExchangeError>,
        kind: Kind,
        caller: &Caller,
        session: &SessionRequest,
    ) -> Self {
        let mend = mend::mend(&error, kind, caller, session);
        Self::Exchange(error, mend)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Token(VerifyError::KeyPending) | Self::StillFetching | Self::TooOften => 503,
            Self::Token(VerifyError::Token(TokenError::NoPod | TokenError::Legacy)) => 403,
            Self::Token(_) => 400,
            Self::Node(NodeError::Unknown(_)) => 503,
            Self::Node(_) | Self::Peer => 403,
            Self::Resolve(error) => error.status(),
            Self::Exchange(error, _) => error.kind.status(),
        }
    }

    /// Whether asking again brings nothing, until somebody mends something.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.status() < 500
    }

    /// The code in the answer: a word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match (self, self.status()) {
            (_, 503) => "TryAgain",
            (Self::Token(_), _) => "InvalidToken",
            (Self::Node(_) | Self::Peer, _) => "PodNotServed",
            (Self::Resolve(error), _) => error.code(),
            (Self::Exchange(error, _), _) => match error.kind {
                ErrorKind::NoAssociation => "NoRole",
                ErrorKind::Role => "AccessDenied",
                ErrorKind::Token => "InvalidToken",
                _ => "InvalidRequest",
            },
            (Self::StillFetching | Self::TooOften, _) => "TryAgain",
        }
    }

    /// The word that metrics use.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Token(VerifyError::KeyPending) => "keys",
            Self::Token(_) => "token",
            Self::Node(NodeError::Unknown(_)) => "cluster",
            Self::Node(_) => "pod",
            Self::Peer => "peer",
            Self::TooOften => "rate",
            Self::Resolve(error) => error.outcome(),
            Self::Exchange(error, _) => match error.kind {
                ErrorKind::NoAssociation => "association",
                ErrorKind::Role => "aws-role",
                ErrorKind::Token => "aws-token",
                ErrorKind::Transient => "aws-transient",
                ErrorKind::Ours => "ours",
                ErrorKind::Request => "aws-other",
            },
            Self::StillFetching => "slow",
        }
    }
}
