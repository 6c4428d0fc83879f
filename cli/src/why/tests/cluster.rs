//! A healthy cluster, and changes of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use podrole_certs::Authority;
use podrole_identity::{
    AssociationList, CredentialProvider, Exchange, GrantRules, InjectionDefault, Partition,
};
use podrole_webhook::{Outcome, Settings, mutate::mutate, pod::PodView};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::why::{
    aws::AwsFindings,
    case::Case,
    chain::Chain,
    decided::decide,
    object::Object,
    read::forbidden,
    report::WhyReport,
    resource::Resource,
    settings::WhySettings,
    subject::{Subject, made_by},
    target::Target,
    text,
    world::World,
};
use crate::{report::Finding, yaml};

/// A change of the healthy cluster, as a fixture's file has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Change {
    /// Merge patches by `Kind/name`; null removes the object.
    #[serde(default)]
    pub(super) objects: BTreeMap<String, Value>,
    /// Objects that are added.
    #[serde(default)]
    pub(super) add: Vec<Value>,
    /// A merge patch of the newest pod, after it was made.
    #[serde(default)]
    pub(super) newest_pod: Option<Value>,
    /// Whether pods were created without the webhook.
    #[serde(default)]
    pub(super) plain_pods: bool,
    /// `expired` or `empty`.
    #[serde(default)]
    pub(super) ca_bundle: Option<String>,
    /// Kinds that cannot be read.
    #[serde(default)]
    pub(super) forbidden: Vec<String>,
    #[serde(default)]
    pub(super) no_pods: bool,
    #[serde(default)]
    pub(super) server_time: Option<String>,
}

/// The cluster's settings of a fixture.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Flags {
    exchange: Option<String>,
    region: Option<String>,
    container: Option<bool>,
    inject_all: Option<bool>,
    associations: Option<String>,
}

pub(super) fn now() -> Timestamp {
    "2026-11-30T12:00:00Z".parse().unwrap()
}

impl Flags {
    pub(super) fn settings(&self) -> WhySettings {
        let rules = GrantRules {
            exchange: self
                .exchange
                .as_deref()
                .map_or(Exchange::default(), |it| it.parse().unwrap()),
            partition: self.region.as_deref().map(Partition::of_region),
            default_provider: match self.container {
                Some(true) => CredentialProvider::Container,
                _ => CredentialProvider::WebIdentity,
            },
            ..GrantRules::default()
        };
        let list = self.associations.as_ref();
        WhySettings {
            webhook: Settings { rules, ..Settings::default() },
            injection_default: match self.inject_all {
                Some(true) => InjectionDefault::All,
                _ => InjectionDefault::Labelled,
            },
            list: list.map(|text| Arc::new(AssociationList::read(text).unwrap())),
            ..WhySettings::default()
        }
    }
}

/// The objects of the healthy cluster, without pods of the workload.
fn healthy() -> Vec<Value> {
    let documents = yaml::documents(include_str!("../fixtures/cluster.yaml"));
    documents.into_iter().map(|it| it.unwrap().value).collect()
}

fn key(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}", text("/kind"), text("/metadata/name"))
}

fn apply(objects: &mut Vec<Value>, change: &Change) {
    for (wanted, patch) in &change.objects {
        let at = objects.iter().position(|it| key(it) == *wanted);
        let at = at.unwrap_or_else(|| panic!("there is no {wanted}"));
        if patch.is_null() {
            objects.remove(at);
        } else {
            json_patch::merge(&mut objects[at], patch);
        }
    }
    objects.extend(change.add.iter().cloned());
}

fn bundle(which: Option<&str>) -> String {
    let (made, days) = match which {
        Some("empty") => return String::new(),
        Some("expired") => ("2025-01-01T00:00:00Z", 30),
        _ => ("2026-02-01T00:00:00Z", 365),
    };
    let life = Duration::from_secs(days * 86_400);
    let authority = Authority::mint("podrole", made.parse().unwrap(), life).unwrap();
    BASE64_STANDARD.encode(authority.certificate_pem())
}

/// A world and the settings in it.
pub(super) struct Cluster {
    pub(super) world: World,
    pub(super) settings: WhySettings,
}

impl Cluster {
    /// The healthy cluster with `setup`, then with each of `mistakes`.
    pub(super) fn new(flags: &Flags, setup: &Change, mistakes: &[&Change]) -> Self {
        let settings = flags.settings();
        let mut objects = healthy();
        apply(&mut objects, setup);
        let before = world(&objects);
        mistakes.iter().for_each(|change| apply(&mut objects, change));
        let all = || mistakes.iter().copied().chain([setup]);
        let ca = bundle(all().find_map(|it| it.ca_bundle.as_deref()));
        for object in objects.iter_mut().filter(|it| it["kind"] == "MutatingWebhookConfiguration") {
            let webhooks = object["webhooks"].as_array_mut().unwrap();
            for webhook in
                webhooks.iter_mut().filter(|it| it["clientConfig"]["caBundle"] == "VALID")
            {
                webhook["clientConfig"]["caBundle"] = json!(ca);
            }
        }
        if !all().any(|it| it.no_pods) {
            let plain = all().any(|it| it.plain_pods);
            let newest = all().filter_map(|it| it.newest_pod.as_ref());
            pods(&mut objects, &before, &settings, plain, &newest.collect::<Vec<_>>());
        }
        let mut world = World::default();
        for kind in all().flat_map(|it| &it.forbidden) {
            let found = Resource::ALL.into_iter().find(|it| it.kind() == kind).unwrap();
            world.missing(found, forbidden(found, "shop"));
            objects.retain(|it| it["kind"] != kind.as_str());
        }
        world.extend(objects.into_iter().map(Object::new));
        world.server_time =
            all().find_map(|it| it.server_time.as_ref()).map(|it| it.parse().unwrap());
        Self { world, settings }
    }

    /// What is printed and reported about a target.
    pub(super) fn why(&self, target: &str, aws: &AwsFindings) -> (String, u8, Vec<Finding>, Value) {
        let target: Target = target.parse().unwrap();
        let mut report = WhyReport::new(false);
        let (text, findings) = match Subject::find(&self.world, "shop", &target) {
            Ok(subject) => {
                let case = Case::new(&self.world, &subject, &self.settings, now());
                let chain = Chain::of(&case, aws);
                report.add(&case, &chain);
                (text::text(&case, &chain, false), chain.findings().cloned().collect())
            }
            Err(finding) => {
                report.unexamined(&target.to_string(), "shop", (*finding).clone());
                (crate::report::verdict(&finding), vec![*finding])
            }
        };
        report.close(false);
        let text = anstream::adapter::strip_str(&text).to_string();
        (text, report.exit_code, findings, serde_json::to_value(&report).unwrap())
    }
}

fn world(objects: &[Value]) -> World {
    let mut world = World::default();
    world.extend(objects.iter().cloned().map(Object::new));
    world
}

/// Makes three pods of the Deployment, as the webhook of the cluster before a mistake changed them.
fn pods(
    objects: &mut Vec<Value>,
    before: &World,
    settings: &WhySettings,
    plain: bool,
    newest: &[&Value],
) {
    let Some(workload) = objects.iter().find(|it| it["kind"] == "Deployment") else { return };
    let template = made_by(&Object::new(workload.clone())).unwrap();
    for (name, second) in [("x2x8q", 2), ("b7k2m", 1), ("c9p4n", 0)] {
        let mut pod = template.clone();
        let created = format!("2026-11-30T08:30:0{second}Z");
        json_patch::merge(
            &mut pod,
            &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
                "name": format!("web-7d4b9c-{name}"), "namespace": "shop", "generateName": null,
                "creationTimestamp": created, "ownerReferences": [{"apiVersion": "apps/v1",
                    "kind": "ReplicaSet", "name": "web-7d4b9c", "uid": "1", "controller": true}]},
                "spec": {"nodeName": "node-a"}, "status": {"phase": "Running"}}),
        );
        if !plain {
            inject(&mut pod, before, settings);
        }
        if second == 2 {
            newest.iter().for_each(|patch| json_patch::merge(&mut pod, patch));
        }
        objects.push(pod);
    }
}

fn inject(pod: &mut Value, before: &World, settings: &WhySettings) {
    let mut known = before.clone();
    known.extend([Object::new(pod.clone())]);
    let target = Target::Pod(pod["metadata"]["name"].as_str().unwrap().to_owned());
    let subject = Subject::find(&known, "shop", &target).unwrap();
    let decided = decide(&known, &subject, settings).unwrap();
    let view = PodView::read(&pod.to_string()).unwrap();
    if let Outcome::Patch { operations, .. } = mutate(&view, &decided.binding, &settings.webhook, 0)
    {
        json_patch::patch(pod, &operations).unwrap();
    }
}
