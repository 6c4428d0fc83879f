//! AssumeRoleWithWebIdentity: the checks, in AWS's order as far as it is known.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use podrole_identity::RoleArn;

use super::{Operation, fault::Fault, parameters::WebIdentityRequest};
use crate::{
    accounts::{Accounts, AssumedRole, Provider, Role},
    issuer::Issuer,
    policy::{Context, Principal, Request, Verdict, evaluate},
    random::{self, NoRandom},
    sessions::Session,
    token::{Claims, Token, TokenError},
};

/// A yes, with what the answer says. The credentials come after.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) identity: AssumedRole,
    pub(crate) expiration: Timestamp,
    pub(crate) subject: String,
    pub(crate) audience: String,
    /// The provider's ARN.
    pub(crate) provider: String,
    pub(crate) packed_policy_size: Option<usize>,
    /// The statement that allowed it.
    pub(crate) statement: String,
}

/// What the sandbox knows.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) accounts: &'a Accounts,
    pub(crate) issuer: Option<&'a Issuer>,
    /// Shortens what is issued.
    pub(crate) credential_life: Option<Duration>,
}

/// Decides a call whose parameters are within their limits.
pub(crate) fn decide(
    known: Known<'_>,
    request: &WebIdentityRequest<'_>,
    now: Timestamp,
) -> Result<Granted, Fault> {
    let token = Token::parse(request.token)?;
    let provider = provider(known.accounts, &request.role, &token.claims)?;
    match (&provider.keys, known.issuer) {
        (None, Some(issuer)) if issuer.url() == provider.url => {
            token.check_signature(Some(&issuer.key_set()))?;
        }
        (keys, _) => token.check_signature(keys.as_ref())?,
    }
    let claims = &token.claims;
    let audience = claims.check_audience(provider)?;
    claims.check_expiry(now)?;
    claims.check_not_before(now)?;
    let (role, statement) = trusting_role(known.accounts, request, provider, claims)?;
    check_duration(role, request.duration)?;
    Ok(Granted {
        identity: AssumedRole::new(&role.arn, &request.session_name),
        expiration: expiration(request.duration, known.credential_life, now),
        subject: claims.sub.clone(),
        audience,
        provider: provider.arn(role.arn.partition(), role.arn.account()),
        packed_policy_size: request.packed_policy_size,
        statement,
    })
}

/// The token's issuer is a provider of the **role's** account; another account's serves it not.
fn provider<'a>(
    accounts: &'a Accounts,
    role: &RoleArn,
    claims: &Claims,
) -> Result<&'a Provider, TokenError> {
    let provider = accounts.provider(role.account(), &claims.iss);
    provider.ok_or_else(|| TokenError::NoProvider {
        issuer: claims.iss.clone(),
        account: role.account().to_owned(),
    })
}

/// The role is there, and its trust policy is willing; by which statement.
fn trusting_role<'a>(
    accounts: &'a Accounts,
    request: &WebIdentityRequest<'_>,
    provider: &Provider,
    claims: &Claims,
) -> Result<(&'a Role, String), Fault> {
    let operation = Operation::AssumeRoleWithWebIdentity.name();
    let denied = |reason| Fault::AccessDenied { operation, reason };
    let arn = &request.role;
    let role = accounts.role(arn);
    let role = role.ok_or_else(|| denied(format!("there is no role {arn}")))?;
    let principal = provider.arn(arn.partition(), arn.account());
    let request = Request {
        principal: Principal::Federated(&principal),
        action: "sts:AssumeRoleWithWebIdentity",
        context: &context(request, provider, &principal, claims),
    };
    match evaluate(&role.trust_policy, &request) {
        Verdict::Allowed { statement } => Ok((role, statement)),
        Verdict::Denied { reason } => Err(denied(reason)),
    }
}

/// The condition keys that this call has. Others are absent, which the decision log shows as
/// "the request has no such key".
fn context(
    request: &WebIdentityRequest<'_>,
    provider: &Provider,
    principal: &str,
    claims: &Claims,
) -> Context {
    let key = |claim: &str| format!("{}:{claim}", provider.issuer());
    let amr = claims.amr.as_ref();
    let amr = amr.map(|amr| amr.list().to_vec()).unwrap_or_default();
    Context::default()
        .with(&key("sub"), [claims.sub.as_str()])
        .with(&key("aud"), claims.aud.list().to_vec())
        .with(&key("amr"), amr)
        .with("aws:FederatedProvider", [principal])
        .with("sts:RoleSessionName", [request.session_name.as_str()])
}

/// The session is not longer than the role allows.
fn check_duration(role: &Role, asked: u32) -> Result<(), Fault> {
    let most = role.max_session_duration;
    if asked > most {
        return Err(Fault::TooLong { asked, most });
    }
    Ok(())
}

/// When credentials end: whole seconds, as AWS gives them.
fn expiration(asked: u32, life: Option<Duration>, now: Timestamp) -> Timestamp {
    let asked = Duration::from_secs(asked.into());
    let life = life.map_or(asked, |life| life.min(asked));
    // Twelve hours at most were checked, so that neither conversion can fail.
    let end = SignedDuration::try_from(life).unwrap_or_default();
    let end = now.saturating_add(end).unwrap_or(now);
    Timestamp::from_second(end.as_second()).unwrap_or(end)
}

/// Makes the credentials of a yes.
pub(crate) fn issue(granted: &Granted) -> Result<Session, NoRandom> {
    Ok(Session {
        key_id: random::key_id()?,
        secret: random::secret()?,
        token: random::session_token()?,
        expiration: granted.expiration,
        identity: granted.identity.clone(),
    })
}

#[cfg(test)]
mod tests;
