//! Mistakes in conditions.

use podrole_identity::{ServiceAccountRef, TrustCondition, TrustOperator};
use podrole_sandbox::policy::{ComparedCondition, NearMiss};

use super::super::{
    fix::colon_name,
    question::{AskingCaller, TrustQuestion},
};
use crate::report::{Code, Finding, State};

const EXTERNAL_ID: &str = "sts:externalid";

/// A condition as a line: `StringEquals KEY = "VALUE"`.
pub(super) fn written(condition: &ComparedCondition) -> String {
    line(&condition.operator, &condition.key, &condition.wanted)
}

fn line(operator: &str, key: &str, values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("{operator} {key} = {}", values.join(" or "))
}

/// The finding for a condition that does not hold.
pub(super) fn missed(
    statement: &str,
    condition: &ComparedCondition,
    question: &TrustQuestion,
) -> Finding {
    let is = format!("{statement}: {}", written(condition));
    let finding = finding(statement, condition, question).is(is);
    match should_be(condition, question) {
        Some(line) => finding.should_be(line),
        None => finding,
    }
}

fn finding(statement: &str, condition: &ComparedCondition, question: &TrustQuestion) -> Finding {
    let role = question.role.name();
    let ComparedCondition { operator, key, wanted, .. } = condition;
    let like = TrustOperator::StringLike.as_str();
    match &condition.near_miss {
        Some(NearMiss::LiteralWildcard) => {
            let pattern = wanted.iter().find(|it| it.contains(['*', '?'])).or(wanted.first());
            let pattern = pattern.map_or("", String::as_str);
            let claim = key.rsplit(':').next().unwrap_or(key);
            let message =
                format!("{statement} compares {claim} by {operator} with {pattern:?}; use {like}");
            return Finding::error(Code(19), message);
        }
        Some(NearMiss::SchemeInKey | NearMiss::SlashInKey | NearMiss::NoSlashInKey) => {
            let message = format!(
                "{statement} of the trust policy of {role} spells the issuer {}, and it is {}",
                issuer_of(key),
                question.issuer().unwrap_or_default(),
            );
            return Finding::error(Code(24), message);
        }
        _ => {}
    }
    if let Some(name) = names_another(condition, question) {
        let own = colon_name(&question.service_account);
        let message = format!("the trust policy of {role} names ServiceAccount {name}, not {own}");
        return Finding::error(Code(20), message);
    }
    if condition.held.is_none()
        && let (Some(issuer), true) = (question.issuer(), is_claim(key))
    {
        let message = format!(
            "the trust policy of {role} checks issuer {}; this cluster's is {issuer}",
            issuer_of(key)
        );
        return Finding::error(Code(21), message);
    }
    if key.to_lowercase() == EXTERNAL_ID
        && let AskingCaller::RoleBefore { external_id, .. } = &question.caller
    {
        let wants = wanted.join(" or ");
        let sends = external_id.as_deref().unwrap_or("none");
        let message =
            format!("target role {role} wants external id {wants}, the association sends {sends}");
        return Finding::error(Code(32), message);
    }
    let message = match &condition.held {
        Some(held) => format!(
            "{statement} of the trust policy of {role} requires {key} to be {}, and it is {}",
            wanted.join(" or "),
            held.join(", ")
        ),
        None => format!(
            "{statement} of the trust policy of {role} requires {key}, which the call does not have"
        ),
    };
    Finding::new(State::Error, message)
}

/// The ServiceAccount that a condition names in place of the question's.
pub(super) fn names_another(
    condition: &ComparedCondition,
    question: &TrustQuestion,
) -> Option<String> {
    let ComparedCondition { key, wanted, held, .. } = condition;
    held.as_ref()?;
    let own = &question.service_account;
    let names: Vec<String> = if key.ends_with(":sub") {
        wanted.iter().map(|it| subject_name(it)).collect()
    } else if key.to_lowercase().ends_with("/kubernetes-namespace") {
        wanted.iter().map(|it| format!("{it}:{}", own.name())).collect()
    } else if key.to_lowercase().ends_with("/kubernetes-service-account") {
        wanted.iter().map(|it| format!("{}:{it}", own.namespace())).collect()
    } else {
        return None;
    };
    Some(names.join(" or "))
}

/// `shop:app` of `system:serviceaccount:shop:app`.
fn subject_name(subject: &str) -> String {
    let name = ServiceAccountRef::from_subject(subject).map(|it| colon_name(&it));
    // A pattern is the subject of no ServiceAccount.
    let pattern = || subject.strip_prefix("system:serviceaccount:").unwrap_or(subject).to_owned();
    name.unwrap_or_else(|_| pattern())
}

fn should_be(condition: &ComparedCondition, question: &TrustQuestion) -> Option<String> {
    let required = question.required().conditions;
    let end = |key: &str| key.rsplit(':').next().unwrap_or_default().to_lowercase();
    let is_same = |one: &&TrustCondition| end(&one.key) == end(&condition.key);
    let found = required.iter().find(is_same);
    found.map(|it| line(it.operator.as_str(), &it.key, &it.values))
}

fn is_claim(key: &str) -> bool {
    [":sub", ":aud"].iter().any(|claim| key.ends_with(claim))
}

/// A key without its claim.
fn issuer_of(key: &str) -> &str {
    key.rsplit_once(':').map_or(key, |(issuer, _)| issuer)
}
