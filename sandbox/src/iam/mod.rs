//! The part of the IAM API that Terraform, Pulumi and the AWS CLI use for roles and OIDC providers.
//!
//! ```text
//!   Call ─► dispatch ─► caller: a user of the account ─► operations ─► roles, role_policies, providers
//!                                                            └─► Outcome (XML, Change) | IamError
//! ```
//!
//! Every user may call every operation: identity policies are evaluated for `sts:*` and `eks-auth:*` only.
//! Temporary credentials may not, so that a pod cannot change what a role trusts.

mod caller;
pub(crate) mod change;
mod context;
pub(crate) mod dispatch;
mod error;
mod input;
mod operations;
mod page;
mod providers;
mod role_policies;
mod roles;
mod tags;
mod xml;
