//! A request as policies see it.

use super::{context::Context, principal::Principal};

/// What policies are evaluated for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The caller.
    pub principal: Principal<'a>,
    /// For example `sts:AssumeRoleWithWebIdentity`.
    pub action: &'a str,
    /// An ARN or `*`. A trust policy ignores it: its resource is the role.
    pub resource: &'a str,
    /// The request's condition keys.
    pub context: &'a Context,
}
