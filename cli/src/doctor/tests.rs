//! A healthy cluster, and one change for each check.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration, apps::v1::DaemonSet,
        core::v1::Node,
    },
};
use podrole_certs::Authority;
use podrole_identity::{Association, AssociationList};
use serde_json::{Value, json};

use super::{
    checks::all,
    report::DoctorReport,
    seen::{KindState, Seen},
};
use crate::{
    cluster::{Target, Unread},
    identities::{Identities, Identity},
    report::{Code, Finding, State},
    settings::{ClusterSettings, SettingsArgs},
};

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn settings() -> ClusterSettings {
    let text = include_str!("../../../manifests/install.yaml");
    let (mut deployments, mut daemon_sets) = (Vec::new(), Vec::new());
    for value in serde_saphyr::from_multiple::<Value>(text).unwrap() {
        match value["kind"].as_str() {
            Some("Deployment") => deployments.push(read(value)),
            Some("DaemonSet") => daemon_sets.push(read(value)),
            _ => {}
        }
    }
    let args = SettingsArgs::default();
    ClusterSettings::from_manifests(&deployments, &daemon_sets, &args)
}

fn configuration(name: &str, webhook: &str, bundle: &str) -> MutatingWebhookConfiguration {
    let mut read: MutatingWebhookConfiguration = read(json!({
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "webhooks": [{"name": webhook, "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {"service": {"namespace": "podrole", "name": "podrole-webhook", "path": "/mutate"}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
            "namespaceSelector": {"matchLabels": {"podrole.io/injection": "enabled"}}}]}));
    for webhook in read.webhooks.iter_mut().flatten() {
        webhook.client_config.ca_bundle = Some(ByteString(bundle.as_bytes().to_vec()));
    }
    read
}

fn bundle(days: u64) -> String {
    let before = now() - SignedDuration::from_hours(1);
    let life = Duration::from_secs(days * 86_400 + 7200);
    Authority::mint("ca", before, life).unwrap().certificate_pem().to_owned()
}

fn node(name: &str, labels: &Value, taints: &Value) -> Node {
    read(json!({"metadata": {"name": name, "labels": labels}, "spec": {"taints": taints}}))
}

fn daemon_set(namespace: &str, name: &str, ready: i32, desired: i32) -> DaemonSet {
    read(json!({"metadata": {"namespace": namespace, "name": name}, "status": {
        "currentNumberScheduled": desired, "desiredNumberScheduled": desired, "numberMisscheduled": 0,
        "numberReady": ready}}))
}

fn healthy() -> Seen {
    let kinds = ["podidentityassociations", "podidentitypatterns", "podidentityguardrails"];
    Seen {
        settings: settings(),
        identities: Identities::default(),
        server: Ok((1, 35)),
        kinds: Ok(kinds.map(|it| (format!("{it}.podrole.io"), KindState::Served)).to_vec()),
        configurations: Ok(vec![configuration("podrole", "enabled.podrole.io", &bundle(90))]),
        endpoints: Ok(2),
        daemon_sets: Ok(vec![daemon_set("podrole-agent", "podrole-agent", 2, 2)]),
        nodes: Ok(vec![node("a", &json!({}), &json!([])), node("b", &json!({}), &json!([]))]),
        nodes_with_agent: Ok(vec!["a".to_owned(), "b".to_owned()]),
        clocks: Ok(vec![("a".to_owned(), SignedDuration::from_secs(-1))]),
    }
}

fn unread() -> Unread {
    let resource = "nodes".to_owned();
    Unread::Forbidden(Target { verb: "list", resource, namespace: None, name: None })
}

/// The findings of a cluster that are neither ok nor skipped.
fn found(change: impl FnOnce(&mut Seen)) -> Vec<(u16, State, String)> {
    let mut seen = healthy();
    change(&mut seen);
    let is_quiet = |it: &Finding| matches!(it.state, State::Ok | State::Skipped);
    let findings = all(&seen, now()).into_iter().filter(|finding| !is_quiet(finding));
    findings.map(|it| (it.code.unwrap().0, it.state, it.message)).collect()
}

#[test]
fn each_check_has_its_code_in_order_and_a_healthy_cluster_has_no_finding() {
    let findings = all(&healthy(), now());
    let codes: Vec<_> = findings.iter().map(|it| it.code.unwrap().0).collect();
    assert_eq!(codes, (101..=115).collect::<Vec<_>>());
    assert_eq!(found(|_| {}), []);
    let report = DoctorReport::of(findings, &[], false);
    assert_eq!((report.exit_code(), report.has_error()), (0, false));
    let text = anstream::adapter::strip_str(&report.text()).to_string();
    assert!(text.contains("ok      PR106 the caBundle is valid for 90 days\n"), "{text}");
    assert_eq!(text.lines().count(), 15);
}

/// A change, the code and the state of the only finding, and a part of its text.
type Case = (u16, State, &'static str, Box<dyn Fn(&mut Seen)>);

fn case(code: u16, state: State, part: &'static str, change: impl Fn(&mut Seen) + 'static) -> Case {
    (code, state, part, Box::new(change))
}

#[test]
fn each_mistake_gives_its_own_finding_and_no_other() {
    use State::{Error, Unknown, Warning};
    let registered = |more: Vec<MutatingWebhookConfiguration>| {
        move |seen: &mut Seen| seen.configurations.as_mut().unwrap().extend(more.clone())
    };
    let replaced = |bundle: String| {
        move |seen: &mut Seen| {
            seen.configurations = Ok(vec![configuration("podrole", "enabled.podrole.io", &bundle)]);
        }
    };
    let cases = [
        case(101, Warning, "different versions: 0.1.0, 0.1.9", |seen| {
            seen.settings.versions[0].version = Some("0.1.9".to_owned());
        }),
        case(102, Error, "1.29 is older than 1.30", |seen| seen.server = Ok((1, 29))),
        case(104, Error, "podidentitypatterns.podrole.io", |seen| {
            seen.kinds.as_mut().unwrap()[1].1 = KindState::Missing;
        }),
        case(104, Error, "do not serve", |seen| {
            seen.kinds.as_mut().unwrap()[1].1 = KindState::OtherVersion;
        }),
        case(105, Error, "no MutatingWebhookConfiguration podrole", |seen| {
            seen.configurations = Ok(Vec::new());
        }),
        case(106, Error, "empty or not PEM", replaced(String::new())),
        case(106, Warning, "expires in 3 days", replaced(bundle(3))),
        case(107, Error, "no ready endpoint", |seen| seen.endpoints = Ok(0)),
        case(
            108,
            Warning,
            "is EKS's webhook",
            registered(vec![configuration(
                "pod-identity-webhook",
                "pod-identity-webhook.amazonaws.com",
                "",
            )]),
        ),
        case(
            108,
            Error,
            "another podrole",
            registered(vec![configuration("second", "enabled.podrole.io", "")]),
        ),
        case(109, Error, "1 of 2 agents", |seen| {
            seen.daemon_sets = Ok(vec![daemon_set("podrole-agent", "podrole-agent", 1, 2)]);
        }),
        case(110, Warning, "c (taint gpu), d (Fargate)", |seen| {
            let fargate = json!({"eks.amazonaws.com/compute-type": "fargate"});
            let taint = json!([{"key": "gpu", "effect": "NoSchedule"}]);
            let nodes = seen.nodes.as_mut().unwrap();
            nodes.extend([node("c", &json!({}), &taint), node("d", &fargate, &json!([]))]);
        }),
        case(110, Unknown, "cannot list nodes", |seen| seen.nodes = Err(unread())),
        case(111, Warning, "kube2iam (DaemonSet kube-system/kube2iam)", |seen| {
            seen.daemon_sets.as_mut().unwrap().push(daemon_set("kube-system", "kube2iam", 1, 1));
        }),
        case(112, Warning, "b (120 s behind)", |seen| {
            let clocks = seen.clocks.as_mut().unwrap();
            clocks.push(("b".to_owned(), SignedDuration::from_secs(-120)));
        }),
        case(113, Error, "3 pods should have been injected and were not, of shop/app", |seen| {
            let mut identity = Identity {
                annotations: Default::default(),
                granted: Ok(None),
                is_guarded: false,
                pods: Default::default(),
            };
            identity.pods.missed = 3;
            seen.identities.of.insert("shop/app".parse().unwrap(), identity);
        }),
        case(113, Unknown, "cannot list nodes", |seen| seen.identities.uncounted = Some(unread())),
        case(114, Warning, "1 of 0 associations", |seen| {
            seen.identities.without_service_account = vec!["shop.gone".to_owned()];
        }),
        case(115, Warning, "the object decides: shop/app", |seen| {
            let entry = |role: &str| {
                json!({"namespace": "shop", "serviceAccount": "app",
                "roleArn": format!("arn:aws:iam::111122223333:role/{role}")})
            };
            let list = json!({"identities": [entry("a")]}).to_string();
            seen.settings.list = AssociationList::read(&list).unwrap();
            let spec = json!({"namespace": "shop", "serviceAccount": "app",
                "roleARN": "arn:aws:iam::111122223333:role/b"});
            let object = Association::read_object("shop.app", &spec);
            seen.identities.world.associations.insert("shop.app".to_owned(), object);
        }),
    ];
    for (code, state, part, change) in cases {
        let findings = found(change);
        assert!(
            matches!(findings.as_slice(), [(found_code, found_state, text)]
            if *found_code == code && *found_state == state && text.contains(part)),
            "{code}: {findings:?}"
        );
    }
}

#[test]
fn a_code_that_is_ignored_does_not_change_the_exit_code() {
    let findings =
        || vec![Finding::error(Code(107), "x").fix("y"), Finding::ok("z").coded(Code(101))];
    let report = DoctorReport::of(findings(), &[], false);
    assert_eq!((report.exit_code(), report.errors().as_str()), (1, "PR107"));
    let report = DoctorReport::of(findings(), &[Code(107)], false);
    let text = anstream::adapter::strip_str(&report.text()).to_string();
    assert_eq!(text, "skipped PR107 ignored by --ignore\nok      PR101 z\n");
    assert_eq!(report.exit_code(), 0);
}
