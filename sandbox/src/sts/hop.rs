//! One step from somebody to a role: what was asked, whether it is permitted, and what comes of
//! it. All operations that give a role's credentials go through here.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use podrole_identity::{RoleArn, SessionName};

use super::{
    caller::Caller, fault::Fault, permission, session_policies::SessionPolicies,
    session_tags::SessionTags,
};
use crate::{
    accounts::{Accounts, Identity, Role},
    policy::Context,
    random::{self, NoRandom},
    sessions::{Carried, Session},
};

const DEFAULT_DURATION: u32 = 3600;
/// The longest session of a role that a role assumed, in seconds.
const MOST_IN_A_CHAIN: u32 = 3600;

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `sts:AssumeRole` or `sts:AssumeRoleWithWebIdentity`.
    pub(crate) action: &'static str,
    pub(crate) role: RoleArn,
    pub(crate) session_name: SessionName,
    pub(crate) life: Life,
    pub(crate) policies: SessionPolicies,
    pub(crate) tags: SessionTags,
    pub(crate) external_id: Option<String>,
    pub(crate) source_identity: Option<String>,
}

/// How long a session shall be, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Life {
    /// As the caller asked, within the role's limits.
    Asked(Option<u32>),
    /// As a service of AWS gives it, whatever the role's limits.
    Given(u32),
}

/// A yes. The credentials come after.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) identity: Identity,
    pub(crate) expiration: Timestamp,
    pub(crate) carried: Carried,
    pub(crate) packed_policy_size: Option<usize>,
    /// By which statements.
    pub(crate) reason: String,
}

/// Decides a step whose parameters are within their limits. `shortened` is the longest life of
/// what is issued here, whatever was asked.
pub(crate) fn decide(
    accounts: &Accounts,
    shortened: Option<Duration>,
    caller: &Caller,
    mut asked: Asked,
    now: Timestamp,
) -> Result<Granted, Fault> {
    asked.tags = asked.tags.inherit(&caller.carried)?;
    let source_identity = &caller.carried.source_identity;
    let (role, reason) = permitted(accounts, caller, &asked, now)?;
    let seconds = seconds(role, caller, asked.life)?;
    let packed_policy_size = asked.policies.packed_with(&asked.tags)?;
    let mut carried = Carried {
        source_identity: asked.source_identity.or_else(|| source_identity.clone()),
        policy: asked.policies.inline,
        provider: caller.carried.provider.clone(),
        ..Carried::default()
    };
    asked.tags.carry(&mut carried);
    Ok(Granted {
        identity: Identity::session(&role.arn, &asked.session_name),
        expiration: expiration(seconds, shortened, now),
        carried,
        packed_policy_size,
        reason,
    })
}

/// The role is there and willing, and the caller may: for each of the actions that the step is.
fn permitted<'a>(
    accounts: &'a Accounts,
    caller: &Caller,
    asked: &Asked,
    now: Timestamp,
) -> Result<(&'a Role, String), Fault> {
    let denied = |action: &str, reason: &str| Fault::denied(caller, action, &asked.role, reason);
    let no_role = || denied(asked.action, &format!("there is no role {}", asked.role));
    let role = accounts.role(&asked.role).ok_or_else(no_role)?;
    let context = context(accounts, caller, asked, role, now);
    let ask = |action: &str| {
        let answer = permission::on_role(caller, role, action, &context);
        answer.map_err(|reason| denied(action, &reason))
    };
    let reason = ask(asked.action)?;
    if !asked.tags.is_empty() {
        ask("sts:TagSession")?;
    }
    let set = "sts:SetSourceIdentity";
    match (&caller.carried.source_identity, &asked.source_identity) {
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
    asked: &Asked,
    role: &Role,
    now: Timestamp,
) -> Context {
    let source_identity =
        asked.source_identity.as_ref().or(caller.carried.source_identity.as_ref());
    let account = role.arn.account();
    let mut context = caller
        .context(now)
        .with("sts:RoleSessionName", [asked.session_name.as_str()])
        .with("sts:ExternalId", asked.external_id.as_deref())
        .with("sts:SourceIdentity", source_identity.map(String::as_str))
        .with("aws:ResourceAccount", [account])
        .with("aws:ResourceOrgID", accounts.organization(account));
    for (key, value) in role.tags.iter() {
        context.set(&format!("aws:ResourceTag/{key}"), [value]);
        context.set(&format!("iam:ResourceTag/{key}"), [value]);
    }
    asked.tags.describe(&mut context);
    context
}

/// The session's length, where it is not longer than the role and the chain allow.
fn seconds(role: &Role, caller: &Caller, life: Life) -> Result<u32, Fault> {
    let asked = match life {
        Life::Given(seconds) => return Ok(seconds),
        Life::Asked(asked) => asked.unwrap_or(DEFAULT_DURATION),
    };
    if caller.is_role_session() && asked > MOST_IN_A_CHAIN {
        return Err(Fault::TooLongForAChain { asked });
    }
    let most = role.max_session_duration;
    if asked > most { Err(Fault::TooLong { asked, most }) } else { Ok(asked) }
}

/// When credentials end: whole seconds, as AWS gives them.
pub(crate) fn expiration(asked: u32, shortened: Option<Duration>, now: Timestamp) -> Timestamp {
    let asked = Duration::from_secs(asked.into());
    let life = shortened.map_or(asked, |life| life.min(asked));
    // A day and a half at most was checked, so that neither conversion can fail.
    let end = SignedDuration::try_from(life).unwrap_or_default();
    let end = now.saturating_add(end).unwrap_or(now);
    Timestamp::from_second(end.as_second()).unwrap_or(end)
}

/// Makes the credentials of a yes.
pub(crate) fn issue(granted: &Granted, now: Timestamp) -> Result<Session, NoRandom> {
    Ok(Session {
        key_id: random::key_id()?,
        secret: random::secret()?,
        token: random::session_token()?,
        issued: now,
        expiration: granted.expiration,
        identity: granted.identity.clone(),
        carried: granted.carried.clone(),
    })
}

#[cfg(test)]
mod tests;
