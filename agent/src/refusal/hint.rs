//! How to fix an error of AWS. Pure.

use podrole_identity::{Exchange, RequiredTrust, RoleArn};

use super::token_hint::token_hint;
use crate::{
    exchange::{CLOCK_SKEW, Detail, ErrorKind, ExchangeError, SessionRequest},
    token::Caller,
};

/// The message for the pod's owner.
pub(super) fn hint(
    error: &ExchangeError,
    kind: Exchange,
    caller: &Caller,
    session: &SessionRequest,
) -> String {
    let hint = hint_of_kind(error, kind, caller, session);
    match &error.detail {
        // The sandbox knows what AWS would not say, so its sentence comes first.
        Some(Detail::Sandbox(reason)) => format!("podrole-sandbox: {reason}; {hint}"),
        _ => hint,
    }
}

fn hint_of_kind(
    error: &ExchangeError,
    kind: Exchange,
    caller: &Caller,
    session: &SessionRequest,
) -> String {
    let service_account = &caller.service_account;
    match error.kind {
        ErrorKind::Role => role_hint(error.step, kind, caller, session),
        ErrorKind::Token => token_hint(&error.message, kind, caller, session),
        ErrorKind::NoAssociation => {
            format!("EKS has no Pod Identity association for ServiceAccount {service_account}; create one")
        }
        ErrorKind::Request => request_hint(error, session),
        ErrorKind::Transient if error.code == CLOCK_SKEW => {
            format!("{}, which rejects its requests; retry in a few seconds, and set that clock", error.message)
        }
        ErrorKind::Transient => match error.endpoint() {
            Some(endpoint) => format!("AWS is not available right now: {endpoint}; retry in a few seconds"),
            None => "AWS is not available right now; retry in a few seconds".to_owned(),
        },
        ErrorKind::Agent => "the agent's own AWS credentials or settings do not work; see the agent's log on this node".to_owned(),
    }
}

fn role_hint(step: usize, kind: Exchange, caller: &Caller, session: &SessionRequest) -> String {
    let service_account = &caller.service_account;
    let Some(role) = session.role(step) else {
        let trust = RequiredTrust::eks_auth([]);
        return format!(
            "EKS may not assume the role in the association of ServiceAccount {service_account}; allow \
             {} for {} in the role's trust policy",
            trust.actions_text(),
            trust.principal,
        );
    };
    match (kind, step.checked_sub(1).and_then(|before| session.role(before))) {
        (_, Some(before)) => target_policy(role, before, session, step),
        (Exchange::WebIdentity, _) => web_identity_policy(caller, role),
        _ => node_policy(caller, role, session),
    }
}

/// AWS does not say what the trust policy contains, so the hint is what it must contain.
fn web_identity_policy(caller: &Caller, role: &RoleArn) -> String {
    let (service_account, audiences) = (&caller.service_account, &caller.audiences);
    let audiences = audiences.iter().map(String::as_str);
    let trust = RequiredTrust::web_identity(&caller.issuer, role, [service_account], audiences);
    format!(
        "AWS does not allow ServiceAccount {service_account} to assume {role}; create the role, or \
         allow {} in its trust policy for {}{}",
        trust.actions_text(),
        trust.principal,
        trust.conditions_text(" and "),
    )
}

fn node_policy(caller: &Caller, role: &RoleArn, session: &SessionRequest) -> String {
    let service_account = &caller.service_account;
    let tags = session.tags.iter().map(|tag| (tag.key, tag.value.as_str()));
    let trust = RequiredTrust::assume_role(None, tags);
    format!(
        "AWS does not allow ServiceAccount {service_account} to assume {role}; create the role, or allow \
         {} in its trust policy for {}{}; a role that trusts only the service \
         pods.eks.amazonaws.com cannot be used here",
        trust.actions_text(),
        trust.principal,
        trust.conditions_text(", "),
    )
}

fn target_policy(
    role: &RoleArn,
    before: &RoleArn,
    session: &SessionRequest,
    step: usize,
) -> String {
    let external_id = session.steps.get(step).and_then(|step| step.external_id.as_deref());
    let trust = RequiredTrust::target(before, external_id, !session.tags.is_empty());
    let (actions, conditions) = (trust.actions_text(), trust.conditions_text(" and "));
    format!(
        "AWS does not allow {before} to assume the target role {role}; create the target role, \
         allow {actions} in its trust policy for {before}{conditions}, and allow {before} \
         {actions} on it"
    )
}

fn request_hint(error: &ExchangeError, session: &SessionRequest) -> String {
    if error.code == "PackedPolicyTooLarge" {
        return "the session policy and the session tags together are larger than AWS allows; set \
                disableSessionTags in the association, or shorten the policy"
            .to_owned();
    }
    if error.code == "MalformedPolicyDocument" {
        return "AWS cannot parse the policy in the association; correct it".to_owned();
    }
    let role = session.role(error.step).map_or("the association's role", RoleArn::as_str);
    format!(
        "AWS rejects the request for a session of {role}; check the role's ARN, its maximum session \
         duration, and that STS is active in this region"
    )
}
