//! Why a request gets no credentials, and what mends it.

use std::sync::Arc;

use podrole_identity::RoleArn;

use crate::{
    exchange::{ExchangeError, Fault},
    keys::VerifyError,
    node::NodeError,
    resolve::ResolveError,
    token::{Caller, TokenError},
};

/// The end of a request without credentials. The type says whose fault it is; the status, the
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
    pub fn exchange(error: Arc<ExchangeError>, caller: &Caller, role: &RoleArn) -> Self {
        let mend = mend(error.fault, caller, role);
        Self::Exchange(error, mend)
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Token(VerifyError::KeyPending) | Self::StillFetching => 503,
            Self::Token(VerifyError::Token(TokenError::NoPod | TokenError::Legacy)) => 403,
            Self::Token(_) => 400,
            Self::Node(NodeError::Unknown(_)) | Self::Resolve(ResolveError::Lookup(_)) => 503,
            Self::Node(_) | Self::Resolve(ResolveError::OtherAccount(_)) => 403,
            Self::Resolve(ResolveError::NoRole(_) | ResolveError::NoAccount(_)) => 404,
            Self::Resolve(_) => 400,
            Self::Exchange(error, _) => error.fault.status(),
        }
    }

    /// The code in the answer: a word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match (self, self.status()) {
            (_, 503) => "TryAgain",
            (Self::Token(_), _) => "InvalidToken",
            (Self::Node(_), _) => "PodNotServed",
            (Self::Resolve(_), 404) => "NoRole",
            (Self::Resolve(ResolveError::Audience { .. }), _) => "InvalidToken",
            (Self::Resolve(_), 403) => "ServiceAccountReplaced",
            (Self::Resolve(_), _) => "InvalidRole",
            (Self::Exchange(error, _), _) => match error.fault {
                Fault::NoAssociation => "NoRole",
                Fault::Role => "AccessDenied",
                Fault::Token => "InvalidToken",
                _ => "InvalidRequest",
            },
            (Self::StillFetching, _) => "TryAgain",
        }
    }

    /// The word that metrics use.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Token(VerifyError::KeyPending) => "keys",
            Self::Token(_) => "token",
            Self::Node(NodeError::Unknown(_)) | Self::Resolve(ResolveError::Lookup(_)) => "cluster",
            Self::Node(_) => "pod",
            Self::Resolve(_) => "service-account",
            Self::Exchange(error, _) => match error.fault {
                Fault::Role => "aws-role",
                Fault::Token => "aws-token",
                Fault::Transient => "aws-transient",
                _ => "aws-other",
            },
            Self::StillFetching => "slow",
        }
    }
}

fn mend(fault: Fault, caller: &Caller, role: &RoleArn) -> String {
    let (account, role_arn) = (&caller.service_account, role.as_str());
    match fault {
        Fault::Role => trust_policy(caller, role),
        Fault::Token => format!(
            "AWS does not take the token of {account}: IAM in account {} needs the OIDC provider {} \
             with the client ID {}, and the issuer's keys must be readable from the internet",
            role.account(),
            provider(&caller.issuer, role),
            caller.audiences.join(" or "),
        ),
        Fault::NoAssociation => format!("AWS knows no association for {account}; create one"),
        Fault::Request => format!(
            "AWS cannot give a session of {role_arn} as it was asked; check the role's ARN, its \
             maximum session duration and that STS is active in this region"
        ),
        Fault::Transient => "AWS cannot be asked just now; try again".to_owned(),
        Fault::Ours => "the agent cannot use AWS just now; see its log on this node".to_owned(),
    }
}

/// What the trust policy must contain; what it does contain nobody here can know.
fn trust_policy(caller: &Caller, role: &RoleArn) -> String {
    let issuer = without_scheme(&caller.issuer);
    format!(
        "AWS does not let {} become {}: the role must exist and its trust policy must allow \
         sts:AssumeRoleWithWebIdentity to the federated principal {} where {issuer}:sub is {} and \
         {issuer}:aud is {}",
        caller.service_account,
        role.as_str(),
        provider(&caller.issuer, role),
        caller.service_account.subject(),
        caller.audiences.join(" or "),
    )
}

fn provider(issuer: &str, role: &RoleArn) -> String {
    let (partition, account) = (role.partition(), role.account());
    format!("arn:{partition}:iam::{account}:oidc-provider/{}", without_scheme(issuer))
}

fn without_scheme(issuer: &str) -> &str {
    issuer.split_once("://").map_or(issuer, |(_, rest)| rest)
}
