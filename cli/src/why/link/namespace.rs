//! Link 2: whether the namespace asks for injection.

use podrole_identity::{
    INJECTION_ENABLED, INJECTION_LABEL, InjectionDefault, NamespaceFacts, PermittedRoles, Place,
    near_misses,
};

use crate::{
    report::{Code, Finding},
    why::{
        case::Case,
        decided::{guardrails, namespace_facts},
        object::Object,
        resource::Resource,
        shell::quoted,
    },
};

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let name = case.namespace();
    let object = match case.world.find(Resource::Namespace, "", name) {
        Err(missing) => return vec![missing.finding()],
        Ok(None) => {
            return vec![Finding::unknown(format!("namespace {name} was not found"))];
        }
        Ok(Some(object)) => object,
    };
    let facts = match namespace_facts(case.world, name, case.settings) {
        Err(missing) => return vec![missing.finding()],
        Ok(facts) => facts,
    };
    if facts.injection.is_none() {
        return vec![not_labelled(case, object)];
    }
    let label = object.labels().remove(INJECTION_LABEL);
    let asks = match label {
        Some(value) => format!("{name} has {INJECTION_LABEL}={value}"),
        None => format!("{name} is injected by the cluster's default"),
    };
    vec![Finding::ok(format!("{asks}; {}", guard_rail(case, &facts)))]
}

fn guard_rail(case: &Case<'_>, facts: &NamespaceFacts) -> String {
    let by_object =
        guardrails(case.world).is_ok_and(|all| all.select(case.namespace(), &facts.labels));
    match (facts.permitted != PermittedRoles::Any, by_object) {
        (false, false) => "no guard-rail",
        (true, false) => "a guard-rail by its annotation",
        (false, true) => "a guard-rail by PodIdentityGuardrail",
        (true, true) => "guard-rails by its annotation and by PodIdentityGuardrail",
    }
    .to_owned()
}

fn not_labelled(case: &Case<'_>, object: &Object) -> Finding {
    let name = object.name();
    let labels = object.labels();
    let own = labels.get(INJECTION_LABEL);
    let pairs = labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let prefix = &case.settings.webhook.annotations.prefix;
    let misses = near_misses(Place::Namespace, std::iter::empty(), pairs, prefix);
    let miss = misses.iter().find(|miss| miss.advice.contains(INJECTION_LABEL));
    let near = miss.map(|miss| miss.key.as_str()).filter(|key| *key != INJECTION_LABEL);
    if let (None, None, Some(problem)) = (own, near, &case.settings.default_unknown) {
        return Finding::unknown(format!(
            "namespace {name} has no label {INJECTION_LABEL}; whether the cluster injects it all the same is not known: {problem}"
        ));
    }
    let should = format!("{INJECTION_LABEL}={INJECTION_ENABLED}");
    let has = match (own, near) {
        (Some(value), _) => format!(" (it has {INJECTION_LABEL}={value})"),
        (None, Some(near)) => format!(" (it has {near})"),
        (None, None) => String::new(),
    };
    let message = match (case.settings.injection_default, own) {
        (InjectionDefault::All, Some(value)) => {
            format!("namespace {name} opts out by {INJECTION_LABEL}={value}")
        }
        _ => format!("namespace {name} is not labelled {should}{has}"),
    };
    let is = match (own, near) {
        (Some(value), _) => format!("{INJECTION_LABEL}={value}"),
        (None, Some(near)) => {
            format!("{near}={}", labels.get(near).map(String::as_str).unwrap_or_default())
        }
        (None, None) => format!("no label {INJECTION_LABEL}"),
    };
    let overwrite = own.map_or("", |_| " --overwrite");
    let remove = near.map_or_else(String::new, |near| format!(" {}", quoted(&format!("{near}-"))));
    Finding::error(Code(1), message)
        .is(is)
        .should_be(should.clone())
        .fix(format!("kubectl label namespace {name} {should}{remove}{overwrite}"))
        .fix(case.subject.restart())
}
