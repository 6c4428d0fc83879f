//! What makes a policy malformed.

/// What makes a policy malformed, in IAM's words where they are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MalformedPolicy {
    #[error("could not write the policy as JSON: {0}")]
    Unwritable(String),
    #[error("the Sid {0:?} occurs twice")]
    DuplicateSid(String),
    #[error("a statement has either {0} or Not{0}")]
    EitherOr(&'static str),
    #[error("the {0} list is empty")]
    EmptyList(&'static str),
    #[error("`{key}` occurs twice under {operator}")]
    DuplicateKey { key: String, operator: String },
    #[error("{operator} {key}: {error}")]
    Condition { operator: String, key: String, error: Box<MalformedPolicy> },
    #[error("{0:?} has a policy variable that IAM does not know")]
    Variable(String),
    #[error("this operator does not take policy variables: {0:?}")]
    VariableNotAllowed(String),
    #[error("{0:?} is not a valid value for this operator")]
    Value(String),
    #[error("Missing required field {0}")]
    Missing(&'static str),
    #[error("Has prohibited field {0}")]
    Prohibited(&'static str),
    #[error(
        "AssumeRole policy may only specify STS AssumeRole actions, sts:TagSession and \
         sts:SetSourceIdentity: {0:?} is another"
    )]
    TrustAction(String),
    #[error(
        "Federated principals must be valid domain names or SAML metadata ARNs: {0:?} is not; name the \
         provider by its ARN, arn:aws:iam::<account>:oidc-provider/<issuer without https://>"
    )]
    FederatedPrincipal(String),
    #[error("the Principal element is empty")]
    NoPrincipal,
    #[error(
        "the Principal {0:?} is not one that IAM takes under AWS: use an account, \
         arn:aws:iam::<account>:root, :user/<name>, :role/<name>, or \
         arn:aws:sts::<account>:assumed-role/<role>/<session>; \"*\" is the only wildcard"
    )]
    AwsPrincipal(String),
}
