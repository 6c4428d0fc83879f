//! Link 6: which role the pod gets, from which source, and whether it is permitted.

use std::str::FromStr as _;

use podrole_identity::{
    ArnError, Association, Blank, Denial, DenialReason, Grant, Kind, NotPermittedBy,
    PERMITTED_ROLES_ANNOTATION, Problem, RoleArn, Source, SourceOutcome,
};
use serde_json::Value;

use super::{stores, unnamed};
use crate::{
    report::{Code, Finding, State},
    why::{case::Case, decided::Decided, resource::Resource, shell::quoted},
};

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let decided = match &case.decided {
        Err(missing) => return vec![missing.finding()],
        Ok(decided) => decided,
    };
    let mut findings = match &decided.explanation.result {
        Ok(Some(grant)) => granted(case, decided, grant),
        Ok(None) => unnamed::check(case, decided),
        Err(denial) => vec![denied(case, decided, denial)],
    };
    findings.extend(stores::check(case, decided));
    findings
}

/// What names the role.
fn origin(case: &Case<'_>, source: Source, pattern: Option<&str>) -> String {
    let account = &case.subject.service_account;
    match source {
        Source::Association => {
            format!("PodIdentityAssociation {}", Association::object_name(account))
        }
        Source::ListFile => format!("the association list, entry {account}"),
        Source::Pattern => format!("PodIdentityPattern {}", pattern.unwrap_or_default()),
        Source::Annotation => {
            let key = case.settings.webhook.annotations.prefix.key("role-arn");
            format!("ServiceAccount {account}, {key}")
        }
        other => format!("{}, entry {account}", other.as_str()),
    }
}

fn granted(case: &Case<'_>, decided: &Decided, grant: &Grant) -> Vec<Finding> {
    let from = origin(case, grant.source, grant.pattern.as_deref());
    let losers = decided.explanation.considered.iter();
    let losers = losers.filter(|it| it.outcome == SourceOutcome::Outranked);
    let losers: Vec<&str> = losers.map(|it| it.source.as_str()).collect();
    let text = match losers.as_slice() {
        [] => format!("from {from}"),
        _ => format!("from {from}; it outranks {}", losers.join(", ")),
    };
    let mut findings = vec![Finding::ok(text)];
    findings.extend(differs(case, decided, grant));
    let key = case.settings.webhook.annotations.prefix.key("role-arn");
    let problems = decided.binding.annotations.problems.iter();
    findings.extend(problems.map(|problem| of_problem(case, decided, problem, &key)));
    findings
}

/// An annotation that differs from what decides: External Secrets Operator sends the annotation's.
fn differs(case: &Case<'_>, decided: &Decided, grant: &Grant) -> Option<Finding> {
    let annotated = decided.binding.annotations.role.as_ref()?;
    let role = grant.role()?;
    (grant.source != Source::Annotation && annotated != role).then(|| {
        let account = &case.subject.service_account;
        let key = case.settings.webhook.annotations.prefix.key("role-arn");
        Finding::warning(
            Code(6),
            format!("ServiceAccount {account} is annotated with another role than it gets"),
        )
        .is(format!("{key}={annotated}"))
        .should_be(format!("no annotation, or {role}"))
        .fix(format!(
            "kubectl -n {} annotate serviceaccount {} {key}-",
            account.namespace(),
            account.name()
        ))
    })
}

/// A value of the ServiceAccount's annotations that is not used as it is written.
fn of_problem(case: &Case<'_>, decided: &Decided, problem: &Problem, role_key: &str) -> Finding {
    let account = &case.subject.service_account;
    let key = &problem.annotation;
    let object = decided.service_account.as_ref();
    let value = object.and_then(|it| it.annotations().remove(key)).unwrap_or_default();
    let shown: String = value.chars().take(200).collect();
    let about_role = key == role_key;
    let code = if about_role { Code(10) } else { Code(8) };
    let finding = Finding::warning(code, problem.to_string())
        .object(format!("ServiceAccount {account}"))
        .is(format!("{key}={shown:?}"));
    let role = decided.binding.annotations.role.as_ref().filter(|_| about_role);
    match role {
        Some(role) => finding.should_be(format!("{key}={role}")).fix(format!(
            "kubectl -n {} annotate serviceaccount {} --overwrite {key}={role}",
            account.namespace(),
            account.name()
        )),
        None => finding,
    }
}

fn denied(case: &Case<'_>, decided: &Decided, denial: &Denial) -> Finding {
    let account = &case.subject.service_account;
    let finding = match &denial.reason {
        DenialReason::BadRole(problem) => {
            let text = decided.service_account.as_ref();
            let text = text.and_then(|it| it.annotations().remove(&problem.annotation));
            let text = text.unwrap_or_else(|| problem.value.clone());
            let fix = format!(
                "kubectl -n {} annotate serviceaccount {} --overwrite {}=arn:aws:iam::ACCOUNT:role/NAME",
                account.namespace(),
                account.name(),
                problem.annotation
            );
            malformed(&text, &problem.annotation).fix(fix).fix(case.subject.restart())
        }
        DenialReason::Unreadable(unreadable) if unreadable.kind == Kind::Guardrail => {
            Finding::error(
                Code(30),
                format!("guard-rail {} cannot be read, so it permits no role", unreadable.name),
            )
            .is(unreadable.error.clone())
            .should_be("a guard-rail that this version of podrole can read")
            .fix(format!(
                "kubectl get {} {} -o yaml",
                Kind::Guardrail.plural(),
                unreadable.name
            ))
        }
        DenialReason::Unreadable(unreadable) => {
            of_object(case, unreadable.kind, &unreadable.name, denial)
        }
        DenialReason::NotPermitted { role, by } => not_permitted(case, role, by),
        DenialReason::WrongPartition { role, partition } => Finding::error(
            Code(35),
            format!(
                "role {role} is of partition {}, the agent asks {}",
                role.partition(),
                partition.as_str()
            ),
        )
        .is(format!("partition {}", role.partition()))
        .should_be(format!("partition {}", partition.as_str()))
        .fix(format!("name a role of partition {}", partition.as_str())),
        _ => Finding::new(State::Error, denial.to_string()),
    };
    finding.evidence(origin(case, denial.source, denial.pattern.as_deref()))
}

/// A text in the place of a role's ARN.
fn malformed(text: &str, field: &str) -> Finding {
    let shown: String = text.chars().take(200).collect();
    let finding = match RoleArn::from_str(text.trim()) {
        Err(ArnError::Placeholder(placeholder)) => {
            Finding::error(Code(9), format!("the role ARN contains the placeholder {placeholder}"))
                .should_be("the value in its place")
        }
        Err(ArnError::Blank(blank)) => {
            Finding::error(Code(10), format!("the role ARN contains {blank}; {}", advice(blank)))
                .should_be("the ARN on one line, without blanks")
        }
        _ if text.contains(['"', '\'']) => Finding::error(
            Code(10),
            "the role ARN contains quotation marks; write one pair of quotes around it",
        )
        .should_be("the ARN without quotes in it"),
        Err(error) => Finding::error(Code(8), format!("the role ARN is not usable: {error}"))
            .should_be("arn:aws:iam::<account>:role/<name>"),
        Ok(_) => Finding::error(Code(8), "the role ARN is not usable"),
    };
    finding.is(format!("{field}={shown}"))
}

fn advice(blank: Blank) -> &'static str {
    if blank.to_string().contains("line break") { "use >- or quotes" } else { "remove it" }
}

/// An association or pattern that cannot be read; its role may be why.
fn of_object(case: &Case<'_>, kind: Kind, name: &str, denial: &Denial) -> Finding {
    let resource = if kind == Kind::Pattern { Resource::Pattern } else { Resource::Association };
    let object = case.world.find(resource, "", name).ok().flatten();
    let spec = object.and_then(|it| it.json().get("spec"));
    let roles = ["roleARN", "targetRoleARN"].into_iter().filter_map(|field| {
        let text = spec?.get(field).and_then(Value::as_str)?;
        RoleArn::from_str(text).is_err().then_some((field, text))
    });
    let edit = format!("kubectl edit {} {}", kind.plural(), quoted(name));
    match roles.into_iter().next() {
        Some((field, text)) => malformed(text, field).fix(edit),
        None => Finding::new(State::Error, denial.to_string()).fix(edit),
    }
}

fn not_permitted(case: &Case<'_>, role: &RoleArn, by: &NotPermittedBy) -> Finding {
    let namespace = case.namespace();
    let (rail, is, fix) = match by {
        NotPermittedBy::Annotation => (
            format!("{PERMITTED_ROLES_ANNOTATION} of namespace {namespace}"),
            annotation(case),
            format!(
                "kubectl annotate namespace {namespace} --overwrite {PERMITTED_ROLES_ANNOTATION}={}",
                extended(case, role)
            ),
        ),
        NotPermittedBy::Malformed(error) => (
            format!("{PERMITTED_ROLES_ANNOTATION} of namespace {namespace}"),
            error.to_string(),
            format!(
                "kubectl annotate namespace {namespace} --overwrite {PERMITTED_ROLES_ANNOTATION}={role}"
            ),
        ),
        NotPermittedBy::Guardrails(names) => {
            let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            (
                shown.clone(),
                format!("permittedRoles of {shown} do not match it"),
                format!(
                    "kubectl edit {} {}",
                    Kind::Guardrail.plural(),
                    quoted(names.first().map_or("", String::as_str))
                ),
            )
        }
    };
    Finding::error(Code(30), format!("guard-rail {rail} does not permit {role} in {namespace}"))
        .is(is)
        .should_be(format!("a pattern that matches {role}"))
        .fix(fix)
        .after("a guard-rail is its administrator's; ask before it is changed")
}

fn annotation(case: &Case<'_>) -> String {
    let object = case.world.find(Resource::Namespace, "", case.namespace()).ok().flatten();
    let value = object.and_then(|it| it.annotations().remove(PERMITTED_ROLES_ANNOTATION));
    value.unwrap_or_default()
}

/// The annotation with the role added, for a shell.
fn extended(case: &Case<'_>, role: &RoleArn) -> String {
    let own = annotation(case);
    quoted(&if own.trim().is_empty() { role.to_string() } else { format!("{own},{role}") })
}
