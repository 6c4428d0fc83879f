//! The flags of the chart's manifests, and what the settings become.

use std::{env, fs, path::Path, process::Command};

use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    apps::v1::{DaemonSet, Deployment},
};
use podrole_identity::{CredentialProvider, Exchange, InjectionDefault};
use serde_json::{Value, json};

use super::{
    args::SettingsArgs,
    list_file::ConfigMapKey,
    problem::SettingsProblem,
    resolved::{ClusterSettings, SettingsSource, Wanted},
};

/// Objects by kind.
#[derive(Default)]
struct Objects {
    deployments: Vec<Deployment>,
    daemon_sets: Vec<DaemonSet>,
}

impl Objects {
    fn read(text: &str) -> Self {
        let mut read = Self::default();
        for value in serde_saphyr::from_multiple::<Value>(text).unwrap() {
            read.add(value);
        }
        read
    }

    fn add(&mut self, value: Value) {
        match value["kind"].as_str() {
            Some("Deployment") => self.deployments.push(serde_json::from_value(value).unwrap()),
            Some("DaemonSet") => self.daemon_sets.push(serde_json::from_value(value).unwrap()),
            _ => {}
        }
    }

    fn settings(&self, args: &SettingsArgs) -> (ClusterSettings, Wanted) {
        ClusterSettings::from_objects(&self.deployments, &self.daemon_sets, args, Vec::new())
    }
}

fn manifest(name: &str) -> Objects {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    Objects::read(&fs::read_to_string(path).unwrap())
}

/// The agent of the default installation with other words.
fn agent(change: impl FnOnce(&mut Value)) -> Objects {
    let objects = manifest("manifests/install.yaml");
    let mut agent = serde_json::to_value(&objects.daemon_sets[0]).unwrap();
    agent["kind"] = "DaemonSet".into();
    change(&mut agent["spec"]["template"]["spec"]["containers"][0]);
    let mut changed = Objects::default();
    changed.add(agent);
    changed
}

fn push(container: &mut Value, words: &[&str]) {
    let args = container["args"].as_array_mut().unwrap();
    args.extend(words.iter().map(|word| Value::from(*word)));
}

#[test]
fn all_flags_of_the_chart_are_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/chart/golden");
    let mut read = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|it| it == "yaml") {
            let objects = Objects::read(&fs::read_to_string(&path).unwrap());
            if objects.deployments.is_empty() && objects.daemon_sets.is_empty() {
                continue;
            }
            let (settings, _) = objects.settings(&SettingsArgs::default());
            assert_eq!(settings.problems, [], "{}", path.display());
            read += settings.versions.len();
        }
    }
    assert!(read > 20, "{read}");
}

#[test]
fn the_default_installation_is_read() {
    let (settings, wanted) = manifest("manifests/install.yaml").settings(&SettingsArgs::default());
    assert_eq!((settings.problems.as_slice(), settings.source), (&[][..], SettingsSource::Cluster));
    assert_eq!(settings.exchange, Exchange::WebIdentity);
    assert_eq!(settings.injection_default, InjectionDefault::Labelled);
    assert_eq!(settings.webhook_configuration, "podrole");
    assert!(settings.association_objects && !settings.by_policy);
    assert_eq!(wanted, Wanted::default());
    let versions = settings.versions.iter().map(|it| (it.object(), it.version.clone().unwrap()));
    let objects: Vec<_> = versions.collect();
    let expected = [
        "Deployment podrole/podrole-webhook",
        "Deployment podrole/podrole-controller",
        "DaemonSet podrole-agent/podrole-agent",
    ];
    assert_eq!(objects, expected.map(|it| (it.to_owned(), "0.1.0".to_owned())));
}

#[test]
fn each_mode_of_the_chart_gives_its_own_settings() {
    let read = |mode: &str| {
        manifest(&format!("tests/chart/golden/{mode}.yaml")).settings(&SettingsArgs::default())
    };
    let (assume_role, wanted) = read("assume-role");
    assert_eq!(assume_role.exchange, Exchange::AssumeRole);
    assert_eq!(assume_role.webhook.rules.cluster.as_ref().unwrap().name(), "shop");
    let list = ConfigMapKey {
        namespace: "podrole".to_owned(),
        name: "podrole-associations".to_owned(),
        key: "associations.json".to_owned(),
    };
    assert_eq!(wanted.list, Some(list));
    let (policy, _) = read("policy");
    assert!(policy.by_policy);
    assert_eq!(policy.webhook.rules.default_provider, CredentialProvider::WebIdentity);
    let (everywhere, wanted) = read("everywhere");
    assert_eq!(everywhere.injection_default, InjectionDefault::All);
    assert_eq!(wanted.role_map.unwrap().namespace, "podrole");
    assert_eq!(read("kops").1.role_map.unwrap().namespace, "kube-system");
    assert!(!read("no-association-objects").0.association_objects);
    let (alone, wanted) = read("web-identity-alone");
    assert_eq!((wanted.configuration.as_deref(), alone.versions.len()), (Some("podrole"), 2));
}

#[test]
fn without_an_agent_the_webhooks_configuration_says_which_namespaces_are_injected() {
    let (settings, _) =
        manifest("tests/chart/golden/web-identity-alone.yaml").settings(&SettingsArgs::default());
    for (operator, values, expected) in [
        ("In", json!(["enabled"]), InjectionDefault::Labelled),
        ("Exists", json!([]), InjectionDefault::Labelled),
        ("NotIn", json!(["disabled", "required"]), InjectionDefault::All),
    ] {
        let key = "podrole.io/injection";
        let configuration: MutatingWebhookConfiguration = serde_json::from_value(json!({
            "metadata": {"name": "podrole"},
            "webhooks": [{"name": "enabled.podrole.io", "namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["podrole"]},
                {"key": key, "operator": operator, "values": values}]},
                "admissionReviewVersions": ["v1"], "clientConfig": {}, "sideEffects": "None"}],
        }))
        .unwrap();
        let mut settings = settings.clone();
        settings.take_configuration(&configuration);
        assert_eq!(settings.injection_default, expected, "{operator}");
    }
}

#[test]
fn the_commands_own_flags_replace_the_clusters() {
    let args = SettingsArgs {
        exchange: Some(Exchange::EksAuth),
        region: Some("cn-north-1".to_owned()),
        credentials: Some(CredentialProvider::Container),
        annotation_prefix: Some("iam.example".parse().unwrap()),
        allow_annotation_roles: true,
        associations: None,
        issuer: Some("https://issuer.example".to_owned()),
        injection_default: Some(InjectionDefault::All),
    };
    let of_cluster = manifest("manifests/install.yaml").settings(&args).0;
    for settings in [of_cluster, ClusterSettings::offline(&args).unwrap()] {
        let rules = &settings.webhook.rules;
        assert_eq!((settings.exchange, rules.exchange), (Exchange::EksAuth, Exchange::EksAuth));
        assert_eq!(rules.partition.as_ref().unwrap().as_str(), "aws-cn");
        assert_eq!(rules.default_provider, CredentialProvider::Container);
        assert!(rules.annotation_roles);
        assert_eq!(settings.webhook.annotations.prefix, "iam.example".parse().unwrap());
        assert_eq!(settings.issuers, ["https://issuer.example"]);
        assert_eq!(settings.injection_default, InjectionDefault::All);
        assert_eq!(settings.problems, []);
    }
}

#[test]
fn what_this_version_does_not_know_is_reported_and_the_rest_is_read() {
    let objects = agent(|container| {
        // A daemon has one value of each flag.
        let args = container["args"].as_array_mut().unwrap();
        args.retain(|word| !word.as_str().unwrap().starts_with("--verify-peer"));
        push(container, &["--new-flag", "new-value", "--other=1", "--verify-peer=strict"]);
        push(container, &["--session-name=$(NAME)-{pod.name}", "--issuer=$(FROM)"]);
        container["env"] = json!([
            {"name": "NAME", "value": "shop"},
            {"name": "FROM", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]);
        container["image"] = "podrole:0.9.1".into();
    });
    let (settings, _) = objects.settings(&SettingsArgs::default());
    let daemon = || "DaemonSet podrole-agent/podrole-agent".to_owned();
    let flag = |flag: &str| SettingsProblem::UnknownFlag { daemon: daemon(), flag: flag.into() };
    let expected = [
        SettingsProblem::OtherVersion { daemon: daemon(), version: "0.9.1".to_owned() },
        SettingsProblem::NotLiteral { daemon: daemon(), variable: "FROM".to_owned() },
        flag("--new-flag"),
        flag("--other"),
        SettingsProblem::UnknownValue { daemon: daemon(), flag: "--verify-peer".to_owned() },
    ];
    let mut found = settings.problems.clone();
    found.sort_by_key(|it| expected.iter().position(|other| it == other));
    assert_eq!(found, expected);
    assert_eq!(settings.unknown(), Some(&settings.problems[1]));
    assert!(settings.webhook.rules.partition.is_some(), "the region is still read");
}

#[test]
fn a_variable_of_the_container_counts_as_for_the_daemon() {
    let region = |value: Value| {
        agent(|container| {
            let args = container["args"].as_array_mut().unwrap();
            args.retain(|word| !word.as_str().unwrap().starts_with("--region"));
            let mut variable = json!({"name": "AWS_REGION"});
            variable.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            container["env"] = json!([variable]);
        })
        .settings(&SettingsArgs::default())
        .0
    };
    let literal = region(json!({"value": "cn-north-1"}));
    assert_eq!(literal.webhook.rules.partition.unwrap().as_str(), "aws-cn");
    let reference = region(json!({"valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}));
    assert_eq!(reference.webhook.rules.partition, None);
    let text = reference.problems[0].to_string();
    assert!(text.contains("gets AWS_REGION from a reference"), "{text}");
}

#[test]
fn a_cluster_without_podrole_is_not_guessed_about() {
    let (settings, _) = Objects::default().settings(&SettingsArgs::default());
    assert_eq!(settings.problems, [SettingsProblem::NotInstalled]);
    assert_eq!(settings.source, SettingsSource::Flags);
}

/// The variable in the environment of the test that this test starts.
const CHILD: &str = "PODROLE_TEST_SETTINGS";

#[test]
fn the_environment_of_this_process_changes_nothing() {
    if env::var_os(CHILD).is_some() {
        let objects = agent(|container| {
            let args = container["args"].as_array_mut().unwrap();
            args.retain(|word| !word.as_str().unwrap().starts_with("--region"));
        });
        println!("settings {:?}", objects.settings(&SettingsArgs::default()));
        println!("settings {:?}", ClusterSettings::offline(&SettingsArgs::default()).unwrap());
        return;
    }
    let name = "settings::tests::the_environment_of_this_process_changes_nothing";
    let printed = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture"]).env(CHILD, "1");
        for name in ["AWS_REGION", "AWS_PROFILE", "NODE_NAME", "HOSTNAME"] {
            command.env_remove(name);
        }
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let of_settings = |line: &&str| line.contains("settings (") || line.contains("settings Cl");
        text.lines().filter(of_settings).map(str::to_owned).collect::<Vec<_>>()
    };
    let plain = printed(&[]);
    assert_eq!(plain.len(), 2, "{plain:?}");
    let engineers = [
        ("AWS_REGION", "cn-north-1"),
        ("AWS_PROFILE", "prod"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_CA_BUNDLE", "/none"),
        ("NODE_NAME", "laptop"),
        ("HOSTNAME", "laptop"),
    ];
    assert_eq!(printed(&engineers), plain);
}
