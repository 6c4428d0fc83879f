//! Link 3: whether the API server calls the webhook for pods of the namespace.

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use podrole_certs::bundle_expiry;
use podrole_identity::{Injection, Labels};
use podrole_webhook::{
    cluster::configuration,
    conflicts::{self, ConflictKind, Entry, Registered},
};
use serde_json::Value;

use crate::{
    report::{Code, Finding, State},
    why::{case::Case, decided::namespace_facts, object::Object, resource::Resource},
};

/// The condition that the chart renders for static pods, without blanks.
const NO_MIRROR_PODS: &str = "!(has(object.metadata.annotations)&&'kubernetes.io/config.mirror'inobject.metadata.annotations)";
/// The label that Kubernetes gives each namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// The label that ties an EndpointSlice to its Service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";
/// What restarts the controller, which writes the registration.
const REGISTER: &str = "podrole writes it again within seconds if its controller runs: kubectl get pods -A -l app.kubernetes.io/name=podrole";

pub(crate) fn check(case: &Case<'_>) -> Vec<Finding> {
    let objects = match case.world.all(Resource::MutatingWebhookConfiguration) {
        Err(missing) => return vec![missing.finding()],
        Ok(objects) => objects,
    };
    let all: Vec<(&Object, Registered)> = objects
        .iter()
        .filter_map(|object| {
            let typed =
                serde_json::from_value::<MutatingWebhookConfiguration>(object.json().clone());
            Some((object, configuration(typed.ok()?)))
        })
        .collect();
    let ours: Vec<_> = all.iter().filter(|(_, it)| it.of_podrole().next().is_some()).collect();
    if ours.is_empty() && case.settings.by_policy {
        return vec![Finding::ok("the API server's own policies inject pods, without a webhook")];
    }
    if ours.is_empty() {
        return vec![not_registered()];
    }
    let labels = namespace_labels(case);
    let is_for_pods = |entry: &&Entry| entry.matches_new_pods && entry.namespaces.matches(&labels);
    let selecting = ours.iter().find_map(|(object, it)| {
        let entry = it.of_podrole().find(is_for_pods)?;
        Some((object, it, entry))
    });
    let asks = namespace_facts(case.world, case.namespace(), case.settings)
        .is_ok_and(|facts| facts.injection.is_some());
    let (object, registered, entry) = match selecting {
        Some(found) => found,
        None if asks => return vec![not_selected(case, &ours[0].1)],
        // The namespace does not ask, so any entry for pods shows whether the webhook works.
        None => {
            let (object, it) = ours[0];
            match it.of_podrole().find(|entry| entry.matches_new_pods) {
                Some(entry) => (object, it, entry),
                None => return vec![not_registered()],
            }
        }
    };
    if let Some(finding) = condition(object, entry) {
        return vec![finding];
    }
    let pods = match endpoints(case, object, entry) {
        Ok(pods) => pods,
        Err(finding) => return vec![*finding],
    };
    let until = match ca_bundle(case, registered, entry) {
        Ok(until) => until,
        Err(finding) => return vec![*finding],
    };
    let registrations: Vec<Registered> = all.iter().map(|(_, it)| it.clone()).collect();
    let conflicts = conflicts::find(&registered.name, &registrations).unwrap_or_default();
    let other = if conflicts.is_empty() { "no other injector" } else { "another injector" };
    let mut findings = vec![Finding::ok(format!("{pods}, caBundle valid until {until}, {other}"))];
    findings.extend(conflicts.iter().map(|conflict| {
        let sentence = conflict.sentence(&registered.name);
        let (message, fix) = sentence.split_once("; ").unwrap_or((sentence.as_str(), ""));
        let state = match conflict.kind {
            // Both may be there while workloads move.
            ConflictKind::Eks => State::Note,
            ConflictKind::Podrole => State::Warning,
        };
        Finding::new(state, message).fix(fix)
    }));
    findings
}

fn not_registered() -> Finding {
    Finding::error(Code(3), "the webhook is not registered, so the API server does not call it")
        .is("no MutatingWebhookConfiguration of podrole")
        .should_be("one, which podrole's controller writes")
        .fix("kubectl get pods -A -l app.kubernetes.io/name=podrole")
        .fix("podrole doctor")
}

fn not_selected(case: &Case<'_>, registered: &Registered) -> Finding {
    let (namespace, name) = (case.namespace(), &registered.name);
    let message =
        format!("MutatingWebhookConfiguration {name} does not select namespace {namespace}");
    Finding::error(Code(3), message)
        .is("its namespaceSelector leaves the namespace out")
        .should_be(format!(
            "the selector of the chart, and a namespace other than podrole's own{}",
            required(case)
        ))
        .fix(format!("kubectl get mutatingwebhookconfiguration {name} -o yaml"))
        .fix(REGISTER)
}

/// `kube-system` can only be `enabled`.
fn required(case: &Case<'_>) -> &'static str {
    let facts = namespace_facts(case.world, case.namespace(), case.settings);
    let required = facts.is_ok_and(|it| it.injection == Some(Injection::Required));
    if required { "; kube-system cannot require injection" } else { "" }
}

fn namespace_labels(case: &Case<'_>) -> Labels {
    let found = case.world.find(Resource::Namespace, "", case.namespace()).ok().flatten();
    let mut labels = found.map(Object::labels).unwrap_or_default();
    labels.insert(NAME_LABEL.to_owned(), case.namespace().to_owned());
    labels
}

/// A condition in CEL that is not the chart's cannot be judged: no interpreter is built in.
fn condition(object: &Object, entry: &Entry) -> Option<Finding> {
    let own = object.list("/webhooks").find(|it| it["name"] == entry.name.as_str())?;
    let conditions = own["matchConditions"].as_array()?;
    let other = conditions.iter().find(|it| {
        let text = it["expression"].as_str().unwrap_or_default();
        text.split_whitespace().collect::<String>() != NO_MIRROR_PODS
    })?;
    let name = other["name"].as_str().unwrap_or_default();
    Some(Finding::unknown(format!(
        "matchCondition {name} of {} is not one of podrole's chart, so whether the webhook is called is not known",
        entry.name
    )))
}

/// How many pods of the webhook's Service are ready.
fn endpoints(case: &Case<'_>, object: &Object, entry: &Entry) -> Result<String, Box<Finding>> {
    let own = object.list("/webhooks").find(|it| it["name"] == entry.name.as_str());
    let service = own.and_then(|own| own.pointer("/clientConfig/service"));
    let Some(service) = service else {
        return Ok(format!("called at {}, outside of the cluster", entry.host));
    };
    let text = |field: &str| service[field].as_str().unwrap_or_default().to_owned();
    let (namespace, name) = (text("namespace"), text("name"));
    let slices = case
        .world
        .in_namespace(Resource::EndpointSlice, &namespace)
        .map_err(|missing| missing.boxed())?;
    let slices = slices.filter(|it| it.labels().get(SERVICE_LABEL) == Some(&name));
    let all: Vec<&Value> = slices.flat_map(|it| it.list("/endpoints")).collect();
    // An endpoint without conditions counts as ready, as for kube-proxy.
    let ready = all.iter().filter(|it| it["conditions"]["ready"] != false).count();
    if ready > 0 {
        return Ok(format!("{ready} of {} pods ready", all.len()));
    }
    let finding = Finding::error(Code(3), "the webhook has no ready pod")
        .is(format!("Service {namespace}/{name} has {} endpoints, none of them ready", all.len()))
        .should_be("at least one ready endpoint")
        .fix(format!("kubectl -n {namespace} get pods -l app.kubernetes.io/name=podrole"))
        .fix(format!("kubectl -n {namespace} rollout status deployment/{name}"));
    Err(Box::new(finding))
}

/// The day on which the last CA expires.
fn ca_bundle(
    case: &Case<'_>,
    registered: &Registered,
    entry: &Entry,
) -> Result<String, Box<Finding>> {
    let cannot = "the API server cannot verify the webhook's certificate";
    let restart = entry.host.split('.').nth(1).map(|namespace| {
        format!(
            "kubectl -n {namespace} rollout restart deployment -l app.kubernetes.io/name=podrole"
        )
    });
    let broken = |what: String| {
        let message = format!("{cannot}; caBundle of {} {what}", registered.name);
        let finding = Finding::error(Code(4), message)
            .is(format!("caBundle of entry {} {what}", entry.name))
            .should_be("the CA that signs the webhook's certificate")
            .fix(format!(
                "kubectl get mutatingwebhookconfiguration {} -o yaml --show-managed-fields",
                registered.name
            ));
        Box::new(restart.iter().fold(finding, Finding::fix))
    };
    let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%d").to_string();
    match bundle_expiry(&entry.ca_bundle) {
        Ok(until) if until <= case.now => Err(broken(format!("expired on {}", day(until)))),
        Ok(until) => Ok(day(until)),
        Err(podrole_certs::BundleError::Empty) => Err(broken("is empty".to_owned())),
        Err(error) => Err(broken(format!("cannot be used: {error}"))),
    }
}
