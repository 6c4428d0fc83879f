//! What an error of AWS means for the caller.

use podrole_identity::Exchange;

/// What has to change before an exchange can succeed. The answer's status, the negative cache and
/// the refresher follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// EKS has no association for the ServiceAccount.
    NoAssociation,
    /// The role's policies do not allow it.
    Role,
    /// AWS rejected the pod's token.
    Token,
    /// The request itself is invalid, whichever token it carries.
    Request,
    /// It may pass by itself.
    Transient,
    /// The agent's own credentials or settings are wrong.
    Agent,
}

impl ErrorKind {
    /// The HTTP status of the answer. SDKs give up after a 4xx and retry after a 503.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::NoAssociation => 404,
            Self::Role => 403,
            Self::Token | Self::Request => 400,
            Self::Transient | Self::Agent => 503,
        }
    }

    /// The label value in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAssociation => "no_association",
            Self::Role => "role",
            Self::Token => "token",
            Self::Request => "request",
            Self::Transient => "transient",
            Self::Agent => "agent",
        }
    }
}

/// Classifies an error response. `code` is AWS's error code, empty if none could be read.
///
/// Sources: STS's and EKS Auth's service models and the common errors of the query protocol.
/// An unknown code is [`ErrorKind::Transient`]: a final status would make SDKs give up.
#[must_use]
pub fn classify(exchange: Exchange, status: u16, code: &str, message: &str) -> ErrorKind {
    if status >= 500 || status == 429 {
        return ErrorKind::Transient;
    }
    match code {
        "ResourceNotFoundException" if exchange == Exchange::EksAuth => ErrorKind::NoAssociation,
        "AccessDeniedException" if exchange == Exchange::EksAuth => {
            if message.contains("is not authorized to perform: eks-auth:") {
                ErrorKind::Agent
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
        | "IncompleteSignature" => ErrorKind::Agent,
        _ => ErrorKind::Transient,
    }
}

/// Whether AWS rejected a request because of its time, which is the signature's.
#[must_use]
pub(super) fn is_about_time(code: &str, message: &str) -> bool {
    matches!(code, "RequestExpired" | "RequestTimeTooSkewed")
        || matches!(code, "SignatureDoesNotMatch" | "InvalidSignatureException")
            && ["Signature expired", "Signature not yet current"]
                .iter()
                .any(|text| message.contains(text))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_signature_of_another_time_is_not_a_wrong_key() {
        let expired = "Signature expired: 20261129T060000Z is now earlier than 20261129T080000Z";
        assert!(is_about_time("SignatureDoesNotMatch", expired));
        assert!(is_about_time("InvalidSignatureException", "Signature not yet current: 2026"));
        assert!(is_about_time("RequestExpired", ""));
        assert!(!is_about_time("SignatureDoesNotMatch", "The request signature we calculated"));
        assert!(!is_about_time("AccessDenied", expired));
    }

    use super::*;
    use podrole_identity::Exchange::{AssumeRole, EksAuth, WebIdentity};

    #[test]
    fn every_error_is_classified() {
        let agent_not_allowed = "User: arn:aws:sts::1:assumed-role/node/i is not authorized to perform: \
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
            (EksAuth, 400, "AccessDeniedException", agent_not_allowed, ErrorKind::Agent, 503),
            (EksAuth, 400, "InvalidTokenException", "", ErrorKind::Token, 400),
            (EksAuth, 400, "ExpiredTokenException", "", ErrorKind::Token, 400),
            (EksAuth, 429, "ThrottlingException", "", ErrorKind::Transient, 503),
            (EksAuth, 400, "UnrecognizedClientException", "", ErrorKind::Agent, 503),
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
            (AssumeRole, 403, "InvalidClientTokenId", "", ErrorKind::Agent, 503),
            (AssumeRole, 403, "ExpiredToken", "", ErrorKind::Agent, 503),
            (AssumeRole, 403, "SignatureDoesNotMatch", "", ErrorKind::Agent, 503),
        ] {
            let read = classify(exchange, status, code, message);
            assert_eq!((read, read.status()), (error, answer), "{exchange} {status} {code}");
        }
    }
}
