//! How to fix an error of AWS. Pure.

use podrole_identity::{Exchange, RoleArn};

use super::token_hint::{provider, token_hint, without_scheme};
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
        return format!(
            "EKS may not assume the role in the association of ServiceAccount {service_account}; allow \
             sts:AssumeRole and sts:TagSession for the service pods.eks.amazonaws.com in the \
             role's trust policy"
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
    let issuer = without_scheme(&caller.issuer);
    format!(
        "AWS does not allow ServiceAccount {} to assume {}; create the role, or allow \
         sts:AssumeRoleWithWebIdentity in its trust policy for the federated principal {} where \
         {issuer}:sub is {} and {issuer}:aud is {}",
        caller.service_account,
        role.as_str(),
        provider(&caller.issuer, role),
        caller.service_account.subject(),
        caller.audiences.join(" or "),
    )
}

fn node_policy(caller: &Caller, role: &RoleArn, session: &SessionRequest) -> String {
    let service_account = &caller.service_account;
    let tags = session.tags.iter().filter(|tag| !tag.key.starts_with("kubernetes-pod"));
    let tags: Vec<String> =
        tags.map(|tag| format!("aws:RequestTag/{} is {}", tag.key, tag.value)).collect();
    let (actions, conditions) = if tags.is_empty() {
        ("sts:AssumeRole", String::new())
    } else {
        ("sts:AssumeRole and sts:TagSession", format!(" where {}", tags.join(", ")))
    };
    format!(
        "AWS does not allow ServiceAccount {service_account} to assume {role}; create the role, or allow \
         {actions} in its trust policy for the principal of this cluster's agent{conditions}; a \
         role that trusts only the service pods.eks.amazonaws.com cannot be used here"
    )
}

fn target_policy(
    role: &RoleArn,
    before: &RoleArn,
    session: &SessionRequest,
    step: usize,
) -> String {
    let external_id = session.steps.get(step).and_then(|step| step.external_id.as_deref());
    let external_id = external_id.unwrap_or_default();
    let tagging = if session.tags.is_empty() { "" } else { " and sts:TagSession" };
    format!(
        "AWS does not allow {before} to assume the target role {role}; create the target role, \
         allow sts:AssumeRole{tagging} in its trust policy for {before} where sts:ExternalId is \
         {external_id}, and allow {before} sts:AssumeRole{tagging} on it"
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
