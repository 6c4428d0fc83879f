//! One role step: from a caller to a role. All operations that issue a role's credentials go through here.

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
    sessions::{Grant, SessionAttributes},
};

const DEFAULT_DURATION: u32 = 3600;
const SET_SOURCE_IDENTITY: &str = "sts:SetSourceIdentity";
/// Seconds: the longest session with role chaining.
const MAX_IN_CHAIN: u32 = 3600;

/// A requested role step.
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

/// The length of a session in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SessionLength {
    /// Requested by the caller, within the role's limits.
    Requested(Option<u32>),
    /// Set by an AWS service, regardless of the role's limits.
    Fixed(u32),
}

/// A permitted session, before its credentials are issued.
#[derive(Clone, Debug)]
pub(crate) struct GrantedSession {
    pub(crate) identity: Identity,
    pub(crate) expiration: Timestamp,
    pub(crate) attributes: SessionAttributes,
    pub(crate) packed_policy_size: Option<usize>,
    /// The statements that allow it.
    pub(crate) reason: String,
}

/// Decides a role step whose parameters are within their limits. `shortened` is `--credential-life`: a
/// maximum for what is issued, whatever was requested.
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

/// Checks that the role exists, and that the caller may perform every action of the step on it. Returns the
/// role, and the statements that allow it.
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
    let further = further_actions(caller, step);
    for action in further.map_err(|reason| denied(SET_SOURCE_IDENTITY, reason))? {
        ask(action)?;
    }
    Ok((role, reason))
}

/// The actions that a step performs on the role besides its own.
///
/// # Errors
/// If the session would change its source identity, which is never allowed.
pub(crate) fn further_actions(
    caller: &Caller,
    step: &RoleStep,
) -> Result<Vec<&'static str>, &'static str> {
    let mut actions = Vec::new();
    if !step.tags.is_empty() {
        actions.push("sts:TagSession");
    }
    match (&caller.attributes.source_identity, &step.source_identity) {
        (None, None) => {}
        (Some(before), Some(now)) if before != now => {
            return Err("the session already has another source identity");
        }
        _ => actions.push(SET_SOURCE_IDENTITY),
    }
    Ok(actions)
}

/// The condition keys of the step.
pub(crate) fn context(
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

/// The session's length in seconds, checked against the limits of the role and of role chaining.
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

/// When credentials expire, in whole seconds like AWS's.
pub(crate) fn expiration(seconds: u32, shortened: Option<Duration>, now: Timestamp) -> Timestamp {
    let requested = Duration::from_secs(seconds.into());
    let life = shortened.map_or(requested, |life| life.min(requested));
    // The length was limited to 36 hours, so the conversions do not fail.
    let end = SignedDuration::try_from(life).unwrap_or_default();
    in_seconds(now.saturating_add(end).unwrap_or(now))
}

/// The time in whole seconds, as AWS's times about sessions are.
fn in_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

impl GrantedSession {
    /// What its credentials are issued for.
    pub(crate) fn grant(&self, now: Timestamp) -> Grant {
        Grant {
            identity: self.identity.clone(),
            issued: in_seconds(now),
            expiration: self.expiration,
            attributes: self.attributes.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
