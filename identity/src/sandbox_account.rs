//! What the sandbox says of an AWS account that its configuration does not name. The agent tells pods another
//! fix for it than for a missing OIDC provider of AWS.

/// The account's id follows.
pub const NO_SANDBOX_ACCOUNT: &str = "this sandbox does not have the AWS account";
