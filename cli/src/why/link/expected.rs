//! Link 4: what the webhook adds to a pod of this workload today.

use podrole_identity::{
    ContainerList, CredentialProvider, INCLUDE_CONTAINERS_ANNOTATION, Injection, SKIP_CONTAINERS,
    variable,
};
use podrole_webhook::{
    mutate::{ContainerReport, ContainerResult, explain},
    pod::{PodHead, PodView},
};
use serde_json::Value;

use crate::{
    report::{Code, Finding, State},
    why::{
        case::Case,
        decided::namespace_facts,
        object::{Object, texts},
        subject::Subject,
    },
};

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let decided = match &case.decided {
        Err(missing) => return vec![missing.finding()],
        Ok(decided) => decided,
    };
    let Some(provider) = decided.binding.provider else {
        return vec![Finding::skipped("no role, so nothing is added")];
    };
    let pod = match pod(case.subject) {
        Ok(pod) => pod,
        Err(finding) => return vec![*finding],
    };
    if let Some(finding) = opted_out(case, pod) {
        return vec![finding];
    }
    let Ok(view) = PodView::read(&pod.to_string()) else {
        return vec![Finding::unknown("the pod cannot be parsed")];
    };
    let reports = in_order(pod, explain(&view, &decided.binding, &case.settings.webhook));
    let gets = |wanted: fn(&ContainerResult) -> bool| -> Vec<&str> {
        let with = reports.iter().filter(|it| wanted(&it.result));
        with.map(|it| it.name.as_str()).collect()
    };
    let served = gets(|it| *it == ContainerResult::Served);
    let token_only = gets(|it| matches!(it, ContainerResult::TokenOnly { .. }));
    let mut findings = excluded(case, pod, &reports);
    let first = if findings.iter().any(|it| it.state == State::Error) {
        None
    } else if !served.is_empty() {
        Some(format!("{} and a token volume in {}", variables(provider), served.join(", ")))
    } else if !token_only.is_empty() {
        Some(format!(
            "the token alone in {}, which sets credentials of its own",
            token_only.join(", ")
        ))
    } else {
        findings.extend(reports.iter().filter_map(in_the_way));
        let others = "nothing: the containers have credentials of their own".to_owned();
        Some(others).filter(|_| findings.is_empty())
    };
    if let Some(text) = first {
        findings.insert(0, Finding::ok(text));
    }
    findings
}

/// The pod that the webhook would see. A pod without a workload is the one that is stored.
fn pod(subject: &Subject) -> Result<&Value, Box<Finding>> {
    match (&subject.workload, &subject.template) {
        (Err(missing), _) => Err(missing.boxed()),
        (_, Some(template)) => Ok(template),
        (_, None) => {
            subject.examined().ok_or_else(|| Box::new(Finding::skipped("there is no pod")))
        }
    }
}

fn variables(provider: CredentialProvider) -> String {
    let [one, two] = match provider {
        CredentialProvider::WebIdentity => [variable::ROLE_ARN, variable::WEB_IDENTITY_TOKEN_FILE],
        CredentialProvider::Container => {
            [variable::CONTAINER_FULL_URI, variable::CONTAINER_TOKEN_FILE]
        }
    };
    format!("{one}, {two}")
}

/// The webhook lists init containers first; people think of the others first.
pub(crate) fn in_order(pod: &Value, mut reports: Vec<ContainerReport>) -> Vec<ContainerReport> {
    let init = pod["spec"]["initContainers"].as_array().map_or(0, Vec::len).min(reports.len());
    reports.rotate_left(init);
    reports
}

fn opted_out(case: &Case<'_>, pod: &Value) -> Option<Finding> {
    let facts = namespace_facts(case.world, case.namespace(), case.settings).ok()?;
    let json = pod.to_string();
    let opts_out = PodHead::read(&json).is_ok_and(|head| head.opted_out());
    (opts_out && facts.injection != Some(Injection::Required)).then(|| {
        Finding::error(Code(43), "a label of the pod keeps the webhook away from it")
            .is("a label that opts the pod out")
            .should_be("no such label on the pod and in the workload's pod template")
            .fix(format!("remove the label from the pod template of {}", case.subject.shown()))
            .fix(case.subject.restart())
    })
}

/// Containers that annotations leave out: an error if no container that lasts is left.
fn excluded(case: &Case<'_>, pod: &Value, reports: &[ContainerReport]) -> Vec<Finding> {
    let lasting = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let all_out = reports.iter().take(lasting).all(|it| it.result == ContainerResult::Excluded);
    let out = reports.iter().take(lasting).filter(|it| it.result == ContainerResult::Excluded);
    let found = out.map(|container| {
        let name = &container.name;
        let (key, on_pod) = excluding(case, pod, name);
        let named = key != INCLUDE_CONTAINERS_ANNOTATION;
        let message = if named {
            format!("container {name} is named in {key}")
        } else {
            format!("container {name} is not named in {key}")
        };
        let account = &case.subject.service_account;
        let holder = if on_pod { "the pod template" } else { "the ServiceAccount" };
        let remove = if on_pod {
            format!("change {key} in the pod template of {}", case.subject.shown())
        } else {
            format!(
                "kubectl -n {} annotate serviceaccount {} {key}-",
                account.namespace(),
                account.name()
            )
        };
        let finding = Finding::error(Code(43), message)
            .is(format!("{key} on {holder}"))
            .should_be(format!("an annotation that lets {name} take part"))
            .fix(remove)
            .fix(case.subject.restart());
        if all_out { finding } else { Finding { state: State::Warning, ..finding } }
    });
    found.take(if all_out { 1 } else { usize::MAX }).collect()
}

/// The annotation that leaves a container out, and whether it is the pod's.
fn excluding(case: &Case<'_>, pod: &Value, container: &str) -> (String, bool) {
    let skip = case.settings.webhook.annotations.prefix.key(SKIP_CONTAINERS);
    let of_pod = texts(pod.pointer("/metadata/annotations"));
    let account = case.decided.as_ref().ok().and_then(|it| it.service_account.as_ref());
    let of_account = account.map(Object::annotations).unwrap_or_default();
    let names = |value: Option<&String>| {
        value.is_some_and(|value| ContainerList::read(value).names(container))
    };
    if names(of_pod.get(&skip)) {
        (skip, true)
    } else if names(of_account.get(&skip)) {
        (skip, false)
    } else {
        let include = INCLUDE_CONTAINERS_ANNOTATION.to_owned();
        let on_pod = of_pod.contains_key(&include);
        (include, on_pod)
    }
}

/// Something of the pod's own at the place of the token.
fn in_the_way(container: &ContainerReport) -> Option<Finding> {
    let ContainerResult::LeftAlone { because } = &container.result else { return None };
    let name = &container.name;
    Some(
        Finding::error(Code(11), format!("container {name} is left alone: it {because}"))
            .is(because.clone())
            .should_be("nothing else at the token's place")
            .fix(format!("remove it from container {name}, and restart the workload")),
    )
}
