//! What makes a policy malformed.

/// What makes a policy malformed, in the words of this crate: IAM says only that it is.
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
    #[error("the Principal element is empty")]
    NoPrincipal,
    #[error(
        "the Principal {0:?} is not one that IAM takes under AWS: use an account, \
         arn:aws:iam::<account>:root, :user/<name>, :role/<name>, or \
         arn:aws:sts::<account>:assumed-role/<role>/<session>; \"*\" is the only wildcard"
    )]
    AwsPrincipal(String),
}
