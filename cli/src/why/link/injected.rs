//! Link 5: whether the stored pod has what the webhook adds, and why not.

use podrole_identity::{
    CredentialProvider, Injection, LabelTimes, MissedReason, MissedTimes, Source, pod_opts_out,
    variable,
};
use podrole_runtime::managed_fields::{Map, key_changed, spec_changed};
use podrole_webhook::mutate::{ContainerResult, explain};
use podrole_webhook::pod::PodView;

use super::expected::in_order;
use crate::{
    report::{Code, Finding},
    why::{
        added::added,
        case::Case,
        decided::{Decided, namespace_facts},
        object::Object,
        own::{containers, has_token, name, variables, was_added},
        resource::Resource,
    },
};

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let pod = match &case.subject.pod {
        Err(missing) => return vec![missing.finding()],
        Ok(None) => return vec![Finding::skipped("there is no pod yet")],
        Ok(Some(pod)) => pod,
    };
    let decided = match &case.decided {
        Err(missing) => return vec![missing.finding()],
        Ok(decided) => decided,
    };
    if decided.binding.provider.is_none() {
        return vec![Finding::skipped("no role, so nothing is added")];
    }
    let facts = namespace_facts(case.world, case.namespace(), case.settings);
    let required = facts.is_ok_and(|it| it.injection == Some(Injection::Required));
    let labels = pod.labels();
    if !required && pod_opts_out(|key| labels.get(key).map(String::as_str)) {
        return vec![Finding::skipped("a label of the pod opts it out")];
    }
    let settings = &case.settings.webhook;
    let Some(view) = PodView::read(&pod.json().to_string()).ok() else {
        return vec![Finding::unknown("the pod cannot be parsed")];
    };
    let Some(added) = added(pod.json(), &decided.binding, settings) else {
        return vec![Finding::unknown("the pod cannot be parsed")];
    };
    let reports = in_order(pod.json(), explain(&view, &decided.binding, settings));
    if let Some(finding) = stale(case, pod, decided) {
        return vec![finding];
    }
    if !added.identity.is_empty() {
        return vec![missed(case, pod, decided)];
    }
    let with = |wanted: fn(&ContainerResult) -> bool| -> Vec<&str> {
        let all = reports.iter().filter(|it| wanted(&it.result));
        all.map(|it| it.name.as_str()).collect()
    };
    let served = with(|it| *it == ContainerResult::Served);
    let token_only = with(|it| matches!(it, ContainerResult::TokenOnly { .. }));
    let text = match (served.as_slice(), token_only.as_slice()) {
        ([], []) => return vec![Finding::skipped("no container takes part")],
        ([], all) => format!("the token is in {}", all.join(", ")),
        ([one], _) => format!("{one} has all of it"),
        (all, _) => format!("{} have all of it", all.join(", ")),
    };
    let since = added.settings.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    vec![Finding::ok(if since.is_empty() {
        text
    } else {
        format!("{text} but {since}, which came later")
    })]
}

/// Whether a pod has all that the webhook adds; `None` if that is not known.
pub(crate) fn is_complete(case: &Case<'_>, pod: &Object) -> Option<bool> {
    let decided = case.decided.as_ref().ok()?;
    let added = added(pod.json(), &decided.binding, &case.settings.webhook)?;
    Some(added.identity.is_empty())
}

/// A pod that was injected with something else than the webhook adds now.
fn stale(case: &Case<'_>, pod: &Object, decided: &Decided) -> Option<Finding> {
    let provider = decided.binding.provider?;
    let other = match provider {
        CredentialProvider::WebIdentity => CredentialProvider::Container,
        CredentialProvider::Container => CredentialProvider::WebIdentity,
    };
    let now = decided.binding.role().map(ToString::to_string);
    let (shown, restart) = (case.subject.shown(), case.subject.restart_words());
    let finding = |message: String, is: String, should: String| {
        Finding::error(Code(2), message).is(is).should_be(should).fix(case.subject.restart())
    };
    let own = case.subject.template.as_ref();
    let was_given = |provider| {
        has_token(pod.json(), provider) && !own.is_some_and(|it| has_token(it, provider))
    };
    if was_given(other) && !has_token(pod.json(), provider) {
        return Some(finding(
            format!(
                "{shown} has the provider {other} of an earlier decision, now it is {provider}; {restart}"
            ),
            format!("the token of the provider {other}"),
            format!("the token of the provider {provider}"),
        ));
    }
    let (CredentialProvider::WebIdentity, Some(role)) = (provider, now) else { return None };
    let role_of = |container| {
        let all = variables(container);
        all.into_iter().find(|it| it.name == variable::ROLE_ARN).and_then(|it| it.value)
    };
    let older = containers(pod.json()).find_map(|container| {
        let value = role_of(container).filter(|value| *value != role)?;
        was_added(case.subject, name(container), variable::ROLE_ARN).then_some(value)
    })?;
    Some(finding(
        format!("{shown} has role {older} of an earlier decision, now it is {role}; {restart}"),
        format!("{}={older}", variable::ROLE_ARN),
        format!("{}={role}", variable::ROLE_ARN),
    ))
}

/// A pod that has nothing of it.
fn missed(case: &Case<'_>, pod: &Object, decided: &Decided) -> Finding {
    let (shown, restart) = (case.subject.shown(), case.subject.restart_words());
    let (times, source) = times(case, pod, decided);
    let finding = match MissedReason::of(times) {
        Some(MissedReason::IdentityCameLater) => {
            Finding::error(Code(2), format!("{shown} may be older than {source}; {restart}"))
                .is(compared(times.pod, &source, times.identity))
        }
        Some(MissedReason::OlderThanLabel) => {
            let label = format!("the label of namespace {}", case.namespace());
            Finding::error(Code(2), format!("{shown} may be older than {label}; {restart}"))
                .is(compared(times.pod, &label, times.label))
        }
        reason => {
            let cause = match reason {
                Some(_) => "the webhook was not called",
                None => "cause not known",
            };
            Finding::error(
                Code(3),
                format!("{shown} should have been injected and was not; {cause}; {restart}"),
            )
            .is("no variables and no token of podrole in the pod")
        }
    };
    finding.should_be("a pod that was created after all of it").fix(case.subject.restart())
}

fn compared(pod: Option<jiff::Timestamp>, what: &str, changed: Option<jiff::Timestamp>) -> String {
    let shown = |time: Option<jiff::Timestamp>| {
        time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
    };
    format!("the pod is of {}; {what} was last changed at {}", shown(pod), shown(changed))
}

/// The times that show the reason, and what names the role.
fn times(case: &Case<'_>, pod: &Object, decided: &Decided) -> (MissedTimes, String) {
    let facts = namespace_facts(case.world, case.namespace(), case.settings).unwrap_or_default();
    let LabelTimes { injection, credentials } = facts.labelled;
    let created = pod.created();
    let account = &case.subject.service_account;
    let (source, pattern) = match &decided.binding.grant {
        Ok(Some(grant)) => (Some(grant.source), grant.pattern.clone()),
        Ok(None) => (None, None),
        Err(denial) => (Some(denial.source), denial.pattern.clone()),
    };
    let mut label = injection;
    let (identity, what) = match source {
        // The namespace's label alone asks for the provider.
        None => {
            label = injection.zip(credentials).map(|(one, other)| one.max(other));
            (created, format!("the labels of namespace {}", case.namespace()))
        }
        Some(Source::Annotation) => {
            let role = case.settings.webhook.annotations.prefix.key("role-arn");
            let object = decided.service_account.as_ref();
            let changed =
                object.and_then(|it| key_changed(&it.metadata(), Map::Annotations, &role));
            (changed, format!("the role annotation of ServiceAccount {account}"))
        }
        Some(Source::Association) => {
            let name = podrole_identity::Association::object_name(account);
            let object = case.world.find(Resource::Association, "", &name).ok().flatten();
            (
                object.and_then(|it| spec_changed(&it.metadata())),
                format!("PodIdentityAssociation {name}"),
            )
        }
        Some(Source::Pattern) => {
            let name = pattern.as_deref().unwrap_or_default();
            let object = case.world.find(Resource::Pattern, "", name).ok().flatten();
            let time = object.and_then(Object::created);
            // An older one shows nothing: it may have been changed since.
            (time.filter(|time| Some(*time) > created), format!("PodIdentityPattern {name}"))
        }
        Some(_) => (None, "what names its role".to_owned()),
    };
    (MissedTimes { pod: created, identity, label }, what)
}
