//! Whose error an error of AWS's is.

use podrole_identity::Exchange as Kind;

/// Whose error it is that there are no credentials; what is done next follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nothing is associated with the caller.
    NoAssociation,
    /// The role does not want the caller.
    Role,
    /// The pod's token is not taken.
    Token,
    /// What was asked cannot be had, whoever asks.
    Request,
    /// Nobody's; it may work in a moment.
    Transient,
    /// The agent's own credentials or settings.
    Ours,
}

impl ErrorKind {
    /// The HTTP status of the answer: 4xx is final for SDKs, 503 is tried again.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::NoAssociation => 404,
            Self::Role => 403,
            Self::Token | Self::Request => 400,
            Self::Transient | Self::Ours => 503,
        }
    }

    /// The word that metrics and logs use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAssociation => "no-association",
            Self::Role => "role",
            Self::Token => "token",
            Self::Request => "request",
            Self::Transient => "transient",
            Self::Ours => "ours",
        }
    }
}

/// Reads an error answer of AWS's. `code` is AWS's error code, empty when none could be read.
///
/// Sources: STS's and EKS Auth's service models and the common errors of the query protocol.
/// A code that nobody here knows may pass, so it is [`ErrorKind::Transient`].
#[must_use]
pub fn classify(exchange: Kind, status: u16, code: &str, message: &str) -> ErrorKind {
    if status >= 500 || status == 429 {
        return ErrorKind::Transient;
    }
    match code {
        "ResourceNotFoundException" if exchange == Kind::EksAuth => ErrorKind::NoAssociation,
        "AccessDeniedException" if exchange == Kind::EksAuth => {
            if message.contains("is not authorized to perform: eks-auth:") {
                ErrorKind::Ours
            } else {
                ErrorKind::Role
            }
        }
        "AccessDenied" => ErrorKind::Role,
        "InvalidIdentityToken"
        | "ExpiredTokenException"
        | "IDPRejectedClaim"
        | "InvalidTokenException" => ErrorKind::Token,
        "ValidationError"
        | "PackedPolicyTooLarge"
        | "MalformedPolicyDocument"
        | "RegionDisabledException"
        | "InvalidParameterException"
        | "InvalidRequestException" => ErrorKind::Request,
        "InvalidClientTokenId"
        | "ExpiredToken"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException"
        | "MissingAuthenticationToken"
        | "IncompleteSignature" => ErrorKind::Ours,
        _ => ErrorKind::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use podrole_identity::Exchange::{AssumeRole, EksAuth, WebIdentity};

    #[test]
    fn every_error_has_its_fault() {
        let not_ours = "User: arn:aws:sts::1:assumed-role/node/i is not authorized to perform: \
                        eks-auth:AssumeRoleForPodIdentity";
        for (exchange, status, code, message, error, answer) in [
            (EksAuth, 404, "ResourceNotFoundException", "", ErrorKind::NoAssociation, 404),
            (
                EksAuth,
                400,
                "AccessDeniedException",
                "Unauthorized Exception!",
                ErrorKind::Role,
                403,
            ),
            (EksAuth, 400, "AccessDeniedException", not_ours, ErrorKind::Ours, 503),
            (EksAuth, 400, "InvalidTokenException", "", ErrorKind::Token, 400),
            (EksAuth, 400, "ExpiredTokenException", "", ErrorKind::Token, 400),
            (EksAuth, 429, "ThrottlingException", "", ErrorKind::Transient, 503),
            (EksAuth, 400, "UnrecognizedClientException", "", ErrorKind::Ours, 503),
            (WebIdentity, 403, "AccessDenied", "", ErrorKind::Role, 403),
            (AssumeRole, 403, "AccessDenied", "", ErrorKind::Role, 403),
            (WebIdentity, 400, "InvalidIdentityToken", "", ErrorKind::Token, 400),
            (WebIdentity, 400, "ExpiredTokenException", "", ErrorKind::Token, 400),
            (WebIdentity, 403, "IDPRejectedClaim", "", ErrorKind::Token, 400),
            (WebIdentity, 400, "ValidationError", "", ErrorKind::Request, 400),
            (AssumeRole, 400, "PackedPolicyTooLarge", "", ErrorKind::Request, 400),
            (AssumeRole, 400, "MalformedPolicyDocument", "", ErrorKind::Request, 400),
            (WebIdentity, 403, "RegionDisabledException", "", ErrorKind::Request, 400),
            (WebIdentity, 400, "Throttling", "Rate exceeded", ErrorKind::Transient, 503),
            (WebIdentity, 400, "IDPCommunicationError", "", ErrorKind::Transient, 503),
            (WebIdentity, 429, "", "", ErrorKind::Transient, 503),
            (WebIdentity, 500, "InternalFailure", "", ErrorKind::Transient, 503),
            (WebIdentity, 503, "AccessDenied", "", ErrorKind::Transient, 503),
            (WebIdentity, 403, "", "<html>", ErrorKind::Transient, 503),
            (WebIdentity, 400, "SomethingNew", "", ErrorKind::Transient, 503),
            (WebIdentity, 404, "ResourceNotFoundException", "", ErrorKind::Transient, 503),
            (AssumeRole, 403, "InvalidClientTokenId", "", ErrorKind::Ours, 503),
            (AssumeRole, 403, "ExpiredToken", "", ErrorKind::Ours, 503),
            (AssumeRole, 403, "SignatureDoesNotMatch", "", ErrorKind::Ours, 503),
        ] {
            let read = classify(exchange, status, code, message);
            assert_eq!((read, read.status()), (error, answer), "{exchange} {status} {code}");
        }
    }
}
