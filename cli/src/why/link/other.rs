//! Link 7: credentials that containers have beside the role.

use podrole_identity::variable;
use podrole_webhook::mutate::{CREDENTIALS_FILES, ContainerResult};
use serde_json::Value;

use crate::{
    report::{Code, Finding, State},
    why::{
        case::Case,
        own::{Variable, containers, name, variables, was_added},
        resource::Resource,
        subject::Subject,
    },
};

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(pod) = case.subject.examined() else {
        return vec![Finding::skipped("there is no pod")];
    };
    let mut findings = Vec::new();
    let mut unseen = Vec::new();
    for container in containers(pod) {
        findings.extend(of_env(case, container));
        for source in container["envFrom"].as_array().into_iter().flatten() {
            let (finding, short) = of_env_from(case, container, source);
            unseen.extend(short);
            findings.extend(finding);
        }
    }
    if !findings.iter().any(|it| matches!(it.state, State::Error | State::Warning)) {
        let note = match unseen.as_slice() {
            [] => String::new(),
            some => format!("; note: {} cannot be seen", some.join(", ")),
        };
        findings.insert(0, Finding::ok(format!("no other credentials in env{note}")));
    }
    findings
}

/// What a container's own variables choose.
fn of_env(case: &Case<'_>, container: &Value) -> Option<Finding> {
    let container_name = name(container);
    let all = variables(container);
    let has = |wanted: &str| all.iter().any(|it| it.name == wanted);
    if has(variable::WEB_IDENTITY_TOKEN_FILE) && has(variable::CONTAINER_FULL_URI) {
        return Some(both(case, container_name));
    }
    let is_own = |it: &&Variable<'_>| {
        variable::USER_DECIDED.contains(&it.name)
            && !was_added(case.subject, container_name, it.name)
    };
    let own: Vec<&str> = all.iter().filter(is_own).map(|it| it.name).collect();
    let is_key = |name: &&&str| {
        let sets = ContainerResult::TokenOnly { sets: (**name).to_owned() };
        !sets.uses_the_role()
    };
    if let Some(first) = own.iter().find(is_key) {
        let keys: Vec<&str> = own.iter().filter(is_key).copied().collect();
        let message =
            format!("container {container_name} sets {first}, which SDKs use before the role");
        return Some(set(case.subject, Finding::error(Code(11), message), container_name, &keys));
    }
    if let Some(first) = own.first() {
        let message = format!(
            "container {container_name} sets {first} itself, so podrole adds no credential variables"
        );
        return Some(set(case.subject, Finding::warning(Code(11), message), container_name, &own));
    }
    let file = CREDENTIALS_FILES.into_iter().find(|file| has(file))?;
    let message = format!(
        "container {container_name} sets {file}; SDKs disagree whether keys there come before the role"
    );
    Some(set(case.subject, Finding::warning(Code(11), message), container_name, &[file]))
}

fn both(case: &Case<'_>, container: &str) -> Finding {
    let pair = [variable::WEB_IDENTITY_TOKEN_FILE, variable::CONTAINER_FULL_URI];
    let message = format!(
        "container {container} has web-identity and container variables; SDKs differ in which they use"
    );
    let own = [
        variable::ROLE_ARN,
        variable::WEB_IDENTITY_TOKEN_FILE,
        variable::CONTAINER_FULL_URI,
        variable::CONTAINER_TOKEN_FILE,
    ];
    let own: Vec<&str> =
        own.into_iter().filter(|it| !was_added(case.subject, container, it)).collect();
    let finding = Finding::error(Code(31), message);
    let finding = set(case.subject, finding, container, &own);
    Finding {
        is: Some(format!("{} and {}", pair[0], pair[1])),
        should_be: Some("the variables of one provider, which podrole sets".to_owned()),
        ..finding
    }
}

/// Adds what removes variables of a container.
fn set(subject: &Subject, finding: Finding, container: &str, names: &[&str]) -> Finding {
    let finding =
        finding.is(format!("env of {container}: {}", names.join(", "))).should_be("none of them");
    match subject.workload_name() {
        Some(workload) if !workload.starts_with("job/") && !workload.starts_with("replicaset/") => {
            let removed: Vec<String> = names.iter().map(|name| format!("{name}-")).collect();
            finding.fix(format!(
                "kubectl -n {} set env {workload} -c {container} {}",
                subject.namespace,
                removed.join(" ")
            ))
        }
        _ => finding.fix(format!("remove them from container {container}")).fix(subject.restart()),
    }
}

/// What an envFrom brings: a note, unless the files hold its ConfigMap.
fn of_env_from(
    case: &Case<'_>,
    container: &Value,
    source: &Value,
) -> (Option<Finding>, Option<String>) {
    let container = name(container);
    let prefix = source["prefix"].as_str().unwrap_or_default();
    let named = |kind: &str| source[kind]["name"].as_str().filter(|name| !name.is_empty());
    let (kind, name) = match (named("configMapRef"), named("secretRef")) {
        (Some(name), _) => ("ConfigMap", name),
        (None, Some(name)) => ("Secret", name),
        (None, None) => return (None, None),
    };
    let found = case.world.find(Resource::ConfigMap, case.namespace(), name).ok().flatten();
    if let Some(object) = found.filter(|_| kind == "ConfigMap") {
        let data = object.texts("/data");
        let own = data.keys().map(|key| format!("{prefix}{key}"));
        let own: Vec<String> =
            own.filter(|it| variable::USER_DECIDED.contains(&it.as_str())).collect();
        let finding = own.first().map(|first| {
            let message = format!("container {container} sets {first} by ConfigMap {name}, which SDKs use before the role");
            Finding::error(Code(11), message)
                .is(format!("ConfigMap {name}: {}", own.join(", ")))
                .should_be("none of them")
                .fix(format!("remove them from ConfigMap {name}"))
                .fix(case.subject.restart())
        });
        return (finding, None);
    }
    if !variable::USER_DECIDED.iter().any(|it| it.starts_with(prefix)) {
        return (None, None);
    }
    let message = format!(
        "container {container} imports {kind} {name}; podrole cannot see whether it sets AWS credentials"
    );
    let note = Finding { code: Some(Code(12)), ..Finding::new(State::Note, message) }
        .fix(format!("look whether {kind} {name} sets a variable that begins with AWS_"));
    (Some(note), Some(format!("envFrom of {container} ({kind} {name})")))
}
