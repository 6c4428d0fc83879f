//! What mends a refusal of AWS's. Pure.

use podrole_identity::{Exchange as Kind, RoleArn};

use crate::{
    exchange::{ErrorKind, ExchangeError, SessionRequest},
    token::Caller,
};

/// The message for the person whose pod it is.
pub(super) fn mend(
    error: &ExchangeError,
    kind: Kind,
    caller: &Caller,
    session: &SessionRequest,
) -> String {
    let account = &caller.service_account;
    match error.kind {
        ErrorKind::Role => role_mend(error.hop, kind, caller, session),
        ErrorKind::Token => token_mend(kind, caller, session),
        ErrorKind::NoAssociation => {
            format!("EKS has no Pod Identity association for {account}; create one")
        }
        ErrorKind::Request => request_mend(error, session),
        ErrorKind::Transient => "AWS cannot be asked just now; try again".to_owned(),
        ErrorKind::Ours => "the agent cannot use AWS just now; see its log on this node".to_owned(),
    }
}

fn role_mend(hop: usize, kind: Kind, caller: &Caller, session: &SessionRequest) -> String {
    let account = &caller.service_account;
    let Some(role) = session.role(hop) else {
        return format!(
            "EKS does not let {account} become the role of its association; the role's trust \
             policy must allow sts:AssumeRole and sts:TagSession to the service \
             pods.eks.amazonaws.com"
        );
    };
    match (kind, hop.checked_sub(1).and_then(|before| session.role(before))) {
        (_, Some(before)) => target_policy(role, before, session, hop),
        (Kind::WebIdentity, _) => web_identity_policy(caller, role),
        _ => node_policy(caller, role, session),
    }
}

/// What the trust policy must contain; what it does contain nobody here can know.
fn web_identity_policy(caller: &Caller, role: &RoleArn) -> String {
    let issuer = without_scheme(&caller.issuer);
    format!(
        "AWS does not let {} become {}: the role must exist and its trust policy must allow \
         sts:AssumeRoleWithWebIdentity to the federated principal {} where {issuer}:sub is {} and \
         {issuer}:aud is {}",
        caller.service_account,
        role.as_str(),
        provider(&caller.issuer, role),
        caller.service_account.subject(),
        caller.audiences.join(" or "),
    )
}

fn node_policy(caller: &Caller, role: &RoleArn, session: &SessionRequest) -> String {
    let account = &caller.service_account;
    let tags = session.tags.iter().filter(|tag| !tag.key.starts_with("kubernetes-pod"));
    let tags: Vec<String> =
        tags.map(|tag| format!("aws:RequestTag/{} is {}", tag.key, tag.value)).collect();
    let (actions, conditions) = if tags.is_empty() {
        ("sts:AssumeRole", String::new())
    } else {
        ("sts:AssumeRole and sts:TagSession", format!(" where {}", tags.join(", ")))
    };
    format!(
        "AWS does not let {account} become {role}: the role must exist and its trust policy must \
         allow {actions} to the principal of this cluster's agent{conditions}; a role that trusts \
         only the service pods.eks.amazonaws.com cannot be used here"
    )
}

fn target_policy(role: &RoleArn, before: &RoleArn, session: &SessionRequest, hop: usize) -> String {
    let external_id = session.hops.get(hop).and_then(|hop| hop.external_id.as_deref());
    let external_id = external_id.unwrap_or_default();
    let tagging = if session.tags.is_empty() { "" } else { " and sts:TagSession" };
    format!(
        "AWS does not let {before} go on to {role}: the target role must exist, its trust policy \
         must allow sts:AssumeRole{tagging} to {before} where sts:ExternalId is {external_id}, and \
         {before} must be allowed sts:AssumeRole{tagging} on it"
    )
}

fn token_mend(kind: Kind, caller: &Caller, session: &SessionRequest) -> String {
    let account = &caller.service_account;
    match (kind, session.role(0)) {
        (Kind::WebIdentity, Some(role)) => format!(
            "AWS does not take the token of {account}: IAM in account {} needs the OIDC provider \
             {} with the client ID {}, and the issuer's keys must be readable from the internet",
            role.account(),
            provider(&caller.issuer, role),
            caller.audiences.join(" or "),
        ),
        _ => format!(
            "EKS does not take the token of {account}; the agent's --cluster-name must be the \
             cluster that made it, and the pod must send the token that the kubelet keeps fresh"
        ),
    }
}

fn request_mend(error: &ExchangeError, session: &SessionRequest) -> String {
    if error.code == "PackedPolicyTooLarge" {
        return "the session's policy and tags together are larger than AWS allows; set \
                disableSessionTags in the association, or shorten the policy"
            .to_owned();
    }
    if error.code == "MalformedPolicyDocument" {
        return "AWS cannot read the policy of the association; mend it".to_owned();
    }
    let role = session.role(error.hop).map_or("the association's role", RoleArn::as_str);
    format!(
        "AWS cannot give a session of {role} as it was asked; check the role's ARN, its maximum \
         session duration and that STS is active in this region"
    )
}

fn provider(issuer: &str, role: &RoleArn) -> String {
    let (partition, account) = (role.partition(), role.account());
    format!("arn:{partition}:iam::{account}:oidc-provider/{}", without_scheme(issuer))
}

fn without_scheme(issuer: &str) -> &str {
    issuer.split_once("://").map_or(issuer, |(_, rest)| rest)
}
