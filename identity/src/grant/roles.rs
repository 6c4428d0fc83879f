//! The roles of a choice, checked in the order of [`DenialReason`]'s variants.

use serde_json::{Map, Value};

use super::{
    DenialReason, Facts, GrantRules, NotPermittedBy, RoleStep, SessionTags,
    choice::{Choice, NamedRole},
};
use crate::{
    Association, CredentialProvider, Exchange, MAX_CHAINED_SESSION_SECONDS, NamespaceFacts,
    PermittedRoles, RoleArn, ServiceAccountRef, SessionDuration,
    kinds::{GuardrailVerdict, Guardrails},
};

pub(super) fn steps(
    choice: &Choice<'_>,
    facts: &Facts<'_>,
    rules: &GrantRules,
) -> Result<Vec<RoleStep>, DenialReason> {
    let steps = match &choice.role {
        NamedRole::Association(association, role) => {
            associated(association, role, choice, (facts, rules))?
        }
        NamedRole::BadPattern(error) => {
            return Err(DenialReason::BadPattern(Box::new(error.clone())));
        }
        NamedRole::Unreadable(unreadable) => {
            return Err(DenialReason::Unreadable(Box::new((*unreadable).clone())));
        }
        NamedRole::Annotation(role) => vec![RoleStep {
            duration_seconds: duration(choice, facts),
            ..step(annotated(*role, choice, facts, rules)?)
        }],
        NamedRole::ConfigMap(role) => {
            vec![step(role.map_err(|error| DenialReason::BadEntry(Box::new(error.clone())))?)]
        }
        NamedRole::Eks => Vec::new(),
    };
    if choice.provider == CredentialProvider::Container {
        check_partition(&steps, rules)?;
    }
    for step in &steps {
        check_permitted(&step.role, facts.service_account, facts.namespace, facts.guardrails)?;
    }
    Ok(steps)
}

pub(super) fn tags(choice: &Choice<'_>, rules: &GrantRules) -> SessionTags {
    let association = choice.association();
    let is_off = association.is_some_and(|association| association.disable_session_tags);
    let has_tags = choice.provider == CredentialProvider::Container
        && rules.exchange == Exchange::AssumeRole
        && rules.session_tags
        && !is_off;
    match association.and_then(|association| association.pod_tags) {
        _ if !has_tags => SessionTags::Off,
        Some(false) => SessionTags::ServiceAccount,
        Some(true) | None => SessionTags::Pod,
    }
}

fn step(role: &RoleArn) -> RoleStep {
    RoleStep { role: role.clone(), external_id: None, policy: None, duration_seconds: None }
}

/// The session's duration by the ServiceAccount's annotation. With web identity the SDK asks STS, and
/// none reads a duration from its environment.
fn duration(choice: &Choice<'_>, facts: &Facts<'_>) -> Option<u32> {
    let wanted = facts.sources.annotations.session_duration.map(SessionDuration::seconds);
    wanted.filter(|_| choice.provider == CredentialProvider::Container)
}

/// With `assume-role` the agent's own credentials obtain the role, so anyone who may annotate a
/// ServiceAccount could name every role that trusts the agent. The administrator must allow it by
/// flag, and bound it by the namespace's guard-rail.
fn annotated<'a>(
    role: Result<&'a RoleArn, &crate::Problem>,
    choice: &Choice<'_>,
    facts: &Facts<'_>,
    rules: &GrantRules,
) -> Result<&'a RoleArn, DenialReason> {
    let is_guarded =
        facts.namespace.is_guarded(facts.service_account.namespace(), facts.guardrails);
    let uses_our_power =
        rules.exchange == Exchange::AssumeRole && choice.provider == CredentialProvider::Container;
    if uses_our_power && !(rules.annotation_roles && is_guarded) {
        return Err(DenialReason::NoAssociation);
    }
    role.map_err(|problem| DenialReason::BadRole(Box::new(problem.clone())))
}

fn associated(
    association: &Association,
    role: &RoleArn,
    choice: &Choice<'_>,
    (facts, rules): (&Facts<'_>, &GrantRules),
) -> Result<Vec<RoleStep>, DenialReason> {
    check_policy(association, choice, rules)?;
    let mut steps = vec![step(role)];
    if let Some(target) = &association.target_role {
        let external_id = association.external_id.clone().or_else(|| {
            let cluster = rules.cluster.as_ref()?;
            Some(cluster.external_id(&association.service_account))
        });
        let external_id = external_id.ok_or(DenialReason::NoExternalId)?;
        steps.push(RoleStep { external_id: Some(external_id), ..step(target) });
    }
    let is_chained = steps.len() > 1;
    if let Some(last) = steps.last_mut() {
        last.policy.clone_from(&association.policy);
        let wanted = association.duration_seconds.or_else(|| duration(choice, facts));
        last.duration_seconds = match (wanted, is_chained) {
            (wanted, false) => wanted,
            (wanted, true) => {
                let longest = MAX_CHAINED_SESSION_SECONDS;
                Some(wanted.map_or(longest, |it| it.min(longest)))
            }
        };
    }
    Ok(steps)
}

fn check_policy(
    association: &Association,
    choice: &Choice<'_>,
    rules: &GrantRules,
) -> Result<(), DenialReason> {
    let Some(policy) = &association.policy else {
        return Ok(());
    };
    if rules.exchange == Exchange::WebIdentity {
        return Err(DenialReason::PolicyNotEnforceable);
    }
    if tags(choice, rules) != SessionTags::Off {
        return Err(DenialReason::PolicyWithTags);
    }
    match serde_json::from_str::<Map<String, Value>>(policy) {
        Ok(_) => Ok(()),
        Err(_) => Err(DenialReason::MalformedPolicy),
    }
}

fn check_partition(steps: &[RoleStep], rules: &GrantRules) -> Result<(), DenialReason> {
    let Some(partition) = rules.partition else {
        return Ok(());
    };
    let other = steps.iter().find(|step| step.role.partition() != partition.as_str());
    match other {
        Some(step) => {
            Err(DenialReason::WrongPartition { role: Box::new(step.role.clone()), partition })
        }
        None => Ok(()),
    }
}

/// The annotation of the namespace only narrows: a role must pass it and the guard-rails.
///
/// # Errors
/// If one of them does not permit the role.
pub(super) fn check_permitted(
    role: &RoleArn,
    service_account: &ServiceAccountRef,
    namespace: &NamespaceFacts,
    guardrails: &Guardrails,
) -> Result<(), DenialReason> {
    match guardrails.check(role, service_account.namespace(), &namespace.labels) {
        GuardrailVerdict::Permitted => {}
        GuardrailVerdict::NotPermitted(guardrails) => {
            let by = NotPermittedBy::Guardrails(guardrails.into());
            return Err(DenialReason::NotPermitted { role: Box::new(role.clone()), by });
        }
        GuardrailVerdict::Unreadable(unreadable) => {
            return Err(DenialReason::Unreadable(Box::new(unreadable)));
        }
    }
    let by = match &namespace.permitted {
        permitted if permitted.permits(role) => return Ok(()),
        PermittedRoles::Malformed(error) => NotPermittedBy::Malformed(Box::new(error.clone())),
        PermittedRoles::Any | PermittedRoles::Only(_) => NotPermittedBy::Annotation,
    };
    Err(DenialReason::NotPermitted { role: Box::new(role.clone()), by })
}
