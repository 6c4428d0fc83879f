//! The IAM API, as much of it as Terraform, Pulumi and the AWS CLI call around a role and a provider.
//!
//! ```text
//!   Call ─► caller: a user of the account signed it ─► OPERATIONS ─► roles, policies, providers
//!                                                          └─► Outcome (XML, what changed) | Fault
//! ```
//!
//! Users may call all of it: identity policies are judged for `sts:*` and `eks-auth:*` only.
//! Temporary credentials may not, so that no pod changes whom a role trusts.

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
