//! AssumeRoleWithWebIdentity. The order of the checks is AWS's, as far as it is known.

use jiff::Timestamp;
use podrole_identity::{RoleArn, SessionName};

use super::{
    caller::{Caller, ExternalPrincipal},
    error::StsError,
    inputs::DecisionInputs,
    parameters::Parameters,
    role_step::{self, GrantedSession, RoleStep, SessionLength},
    session_policies::SessionPolicies,
    session_tags::SessionTags,
};
use crate::{
    accounts::{Accounts, Provider},
    policy::Context,
    token::{Claims, Token, TokenError},
};

/// The parameters of a call.
pub(crate) struct WebIdentityRequest<'a> {
    pub(crate) role: RoleArn,
    pub(crate) session_name: SessionName,
    pub(crate) token: &'a str,
    /// Seconds.
    pub(crate) duration: Option<u32>,
    pub(crate) policies: SessionPolicies,
}

impl<'a> WebIdentityRequest<'a> {
    /// Reads the parameters of a call.
    pub(crate) fn read(parameters: &'a Parameters) -> Result<Self, StsError> {
        Ok(Self {
            role: parameters.role()?,
            session_name: parameters.session_name()?,
            token: parameters.web_identity_token()?,
            duration: parameters.duration()?,
            policies: parameters.session_policies()?,
        })
    }
}

/// A permitted session, with what the response says about the token.
#[derive(Debug)]
pub(crate) struct WebIdentity {
    pub(crate) granted: GrantedSession,
    pub(crate) subject: String,
    pub(crate) audience: String,
    /// The provider's ARN.
    pub(crate) provider: String,
}

/// Decides a call whose parameters are within their limits.
pub(crate) fn decide(
    inputs: DecisionInputs<'_>,
    request: WebIdentityRequest<'_>,
    now: Timestamp,
) -> Result<WebIdentity, StsError> {
    let token = Token::parse(request.token)?;
    let provider = provider(inputs.accounts, &request.role, &token.claims)?;
    inputs.check_signature(&token, provider)?;
    let claims = &token.claims;
    let audience = claims.check_audience(&provider.client_ids)?;
    claims.check_expiry(now)?;
    claims.check_not_before(now)?;
    let arn = provider.arn(request.role.partition(), request.role.account());
    let source = source(provider, &arn, claims);
    let caller = Caller::external(ExternalPrincipal::Federated(arn.clone()), source);
    let step = step(request, claims)?;
    let granted = role_step::decide(inputs.accounts, inputs.credential_life, &caller, step, now)?;
    Ok(WebIdentity { granted, subject: claims.sub.clone(), audience, provider: arn })
}

/// The token's issuer must be a provider in the **role's** account: providers of other accounts do not count.
fn provider<'a>(
    accounts: &'a Accounts,
    role: &RoleArn,
    claims: &Claims,
) -> Result<&'a Provider, TokenError> {
    let provider = accounts.provider(role.account(), &claims.iss);
    provider.ok_or_else(|| {
        let (issuer, account) = (claims.iss.clone(), role.account().to_owned());
        match accounts.is_configured(&account) {
            true => TokenError::NoProvider { issuer, account },
            false => TokenError::NoAccount { issuer, account },
        }
    })
}

/// The requested role step. Session tags and source identity come from the token, because the call has no
/// parameters for them.
fn step(request: WebIdentityRequest<'_>, claims: &Claims) -> Result<RoleStep, StsError> {
    let tags = match &claims.tags {
        Some(claim) => SessionTags::read(claim.tags()?, claim.transitive())?,
        None => SessionTags::default(),
    };
    Ok(RoleStep {
        action: "sts:AssumeRoleWithWebIdentity",
        role: request.role,
        session_name: request.session_name,
        length: SessionLength::Requested(request.duration),
        policies: request.policies,
        tags,
        external_id: None,
        source_identity: claims.source_identity.clone(),
    })
}

/// The condition keys of a token.
fn source(provider: &Provider, arn: &str, claims: &Claims) -> Context {
    let amr = claims.amr.as_ref();
    let amr = amr.map(|amr| amr.list().to_vec()).unwrap_or_default();
    token_keys(provider.issuer(), arn, &claims.sub, claims.aud.list())
        .with(&format!("{}:amr", provider.issuer()), amr)
}

/// The condition keys of a token without `amr`. The issuer is without its scheme.
pub(crate) fn token_keys(issuer: &str, provider: &str, sub: &str, aud: &[String]) -> Context {
    Context::default()
        .with(&format!("{issuer}:sub"), [sub])
        .with(&format!("{issuer}:aud"), aud.to_vec())
        .with("aws:FederatedProvider", [provider])
}

#[cfg(test)]
mod tests;
