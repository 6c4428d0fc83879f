//! One step from somebody to a role: what was step, whether it is permitted, and what comes of
//! it. All operations that give a role's credentials go through here.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use podrole_identity::{RoleArn, SessionName};

use super::{
    caller::Caller, error::StsError, permission, session_policies::SessionPolicies,
    session_tags::SessionTags,
};
use crate::{
    accounts::{Accounts, Identity, Role},
    policy::Context,
    random::{self, NoRandom},
    sessions::{Session, SessionAttributes},
};

const DEFAULT_DURATION: u32 = 3600;
/// The longest session of a role that a role assumed, in seconds.
const MAX_IN_CHAIN: u32 = 3600;

/// What is step for.
#[derive(Clone, Debug)]
pub(crate) struct RoleStep {
    /// `sts:AssumeRole` or `sts:AssumeRoleWithWebIdentity`.
    pub(crate) action: &'static str,
    pub(crate) role: RoleArn,
    pub(crate) session_name: SessionName,
    pub(crate) length: SessionLength,
    pub(crate) policies: SessionPolicies,
    pub(crate) tags: SessionTags,
    pub(crate) external_id: Option<String>,
    pub(crate) source_identity: Option<String>,
}

/// How long a session shall be, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SessionLength {
    /// As the caller step, within the role's limits.
    Requested(Option<u32>),
    /// As a service of AWS gives it, whatever the role's limits.
    Fixed(u32),
}

/// A yes. The credentials come after.
#[derive(Clone, Debug)]
pub(crate) struct GrantedSession {
    pub(crate) identity: Identity,
    pub(crate) expiration: Timestamp,
    pub(crate) attributes: SessionAttributes,
    pub(crate) packed_policy_size: Option<usize>,
    /// By which statements.
    pub(crate) reason: String,
}

/// Decides a step whose parameters are within their limits. `shortened` is the longest life of
/// what is issued here, whatever was step.
pub(crate) fn decide(
    accounts: &Accounts,
    shortened: Option<Duration>,
    caller: &Caller,
    mut step: RoleStep,
    now: Timestamp,
) -> Result<GrantedSession, StsError> {
    step.tags = step.tags.inherit(&caller.attributes)?;
    let source_identity = &caller.attributes.source_identity;
    let (role, reason) = permitted(accounts, caller, &step, now)?;
    let seconds = seconds(role, caller, step.length)?;
    let packed_policy_size = step.policies.packed_with(&step.tags)?;
    let mut attributes = SessionAttributes {
        source_identity: step.source_identity.or_else(|| source_identity.clone()),
        policy: step.policies.inline,
        provider: caller.attributes.provider.clone(),
        ..SessionAttributes::default()
    };
    step.tags.carry(&mut attributes);
    Ok(GrantedSession {
        identity: Identity::session(&role.arn, &step.session_name),
        expiration: expiration(seconds, shortened, now),
        attributes,
        packed_policy_size,
        reason,
    })
}

/// The role is there and willing, and the caller may: for each of the actions that the step is.
fn permitted<'a>(
    accounts: &'a Accounts,
    caller: &Caller,
    step: &RoleStep,
    now: Timestamp,
) -> Result<(&'a Role, String), StsError> {
    let denied = |action: &str, reason: &str| StsError::denied(caller, action, &step.role, reason);
    let no_role = || denied(step.action, &format!("there is no role {}", step.role));
    let role = accounts.role(&step.role).ok_or_else(no_role)?;
    let context = context(accounts, caller, step, role, now);
    let ask = |action: &str| {
        let answer = permission::on_role(caller, role, action, &context);
        answer.map_err(|reason| denied(action, &reason))
    };
    let reason = ask(step.action)?;
    if !step.tags.is_empty() {
        ask("sts:TagSession")?;
    }
    let set = "sts:SetSourceIdentity";
    match (&caller.attributes.source_identity, &step.source_identity) {
        (None, None) => {}
        (Some(before), Some(now)) if before != now => {
            return Err(denied(set, "the session has another source identity already"));
        }
        _ => {
            ask(set)?;
        }
    }
    Ok((role, reason))
}

/// The condition keys that this step has.
fn context(
    accounts: &Accounts,
    caller: &Caller,
    step: &RoleStep,
    role: &Role,
    now: Timestamp,
) -> Context {
    let source_identity =
        step.source_identity.as_ref().or(caller.attributes.source_identity.as_ref());
    let account = role.arn.account();
    let mut context = caller
        .context(now)
        .with("sts:RoleSessionName", [step.session_name.as_str()])
        .with("sts:ExternalId", step.external_id.as_deref())
        .with("sts:SourceIdentity", source_identity.map(String::as_str))
        .with("aws:ResourceAccount", [account])
        .with("aws:ResourceOrgID", accounts.organization(account));
    for (key, value) in role.tags.iter() {
        context.set(&format!("aws:ResourceTag/{key}"), [value]);
        context.set(&format!("iam:ResourceTag/{key}"), [value]);
    }
    step.tags.describe(&mut context);
    context
}

/// The session's length, where it is not longer than the role and the chain allow.
fn seconds(role: &Role, caller: &Caller, length: SessionLength) -> Result<u32, StsError> {
    let requested = match length {
        SessionLength::Fixed(seconds) => return Ok(seconds),
        SessionLength::Requested(seconds) => seconds.unwrap_or(DEFAULT_DURATION),
    };
    if caller.is_role_session() && requested > MAX_IN_CHAIN {
        return Err(StsError::TooLongForAChain { requested });
    }
    let allowed = role.max_session_duration;
    if requested > allowed {
        return Err(StsError::TooLong { requested, allowed });
    }
    Ok(requested)
}

/// When credentials end: whole seconds, as AWS gives them.
pub(crate) fn expiration(seconds: u32, shortened: Option<Duration>, now: Timestamp) -> Timestamp {
    let requested = Duration::from_secs(seconds.into());
    let life = shortened.map_or(requested, |life| life.min(requested));
    // A day and a half at most was checked, so that neither conversion can fail.
    let end = SignedDuration::try_from(life).unwrap_or_default();
    let end = now.saturating_add(end).unwrap_or(now);
    Timestamp::from_second(end.as_second()).unwrap_or(end)
}

/// Makes the credentials of a yes.
pub(crate) fn issue(granted: &GrantedSession, now: Timestamp) -> Result<Session, NoRandom> {
    Ok(Session {
        key_id: random::key_id()?,
        secret: random::secret()?,
        token: random::session_token()?,
        issued: now,
        expiration: granted.expiration,
        identity: granted.identity.clone(),
        attributes: granted.attributes.clone(),
    })
}

#[cfg(test)]
mod tests;
