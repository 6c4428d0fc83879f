//! The rendered text as YAML: no key twice, whatever labels the values give, and nothing that only some parsers read.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use podrole_tests::project;
use serde_json::Value;

use crate::{
    golden::MODES,
    helm::{self, RELEASE},
    objects,
};

/// Values that add labels and variables wherever the chart takes them, with keys that the chart writes itself.
const CROWDED: [&str; 13] = [
    "createNamespace=true",
    "local.enabled=true",
    r"labels.app\.kubernetes\.io/version=ours",
    r"labels.helm\.sh/chart=ours",
    r"labels.pod-security\.kubernetes\.io/enforce=baseline",
    "labels.team=one",
    "webhook.podLabels.team=two",
    "controller.podLabels.team=two",
    "agent.podLabels.team=two",
    "monitoring.serviceMonitor=true",
    "monitoring.dashboard=true",
    "monitoring.labels.team=two",
    "monitoring.labels.grafana_dashboard=yes",
];

#[test]
fn no_key_is_there_twice_and_the_last_word_is_the_nearest() -> anyhow::Result<()> {
    // This parser refuses a key that is there twice.
    ensure!(objects::read("{a: 1, a: 2}").is_err());
    let rendered = objects::read(&helm::template(&CROWDED)?)?;
    for (kind, name, path, value) in [
        ("Deployment", "podrole-webhook", "/metadata/labels/team", "one"),
        ("Deployment", "podrole-webhook", "/spec/template/metadata/labels/team", "two"),
        ("Deployment", "podrole-controller", "/spec/template/metadata/labels/team", "two"),
        ("DaemonSet", "podrole-agent", "/spec/template/metadata/labels/team", "two"),
        ("ServiceMonitor", "podrole-agent", "/metadata/labels/team", "two"),
        ("ConfigMap", "podrole-dashboard", "/metadata/labels/grafana_dashboard", "yes"),
        ("ServiceAccount", "podrole-agent", "/metadata/labels/app.kubernetes.io~1version", "ours"),
        // What the agent needs, whatever all objects are labelled with.
        (
            "Namespace",
            "podrole-agent",
            "/metadata/labels/pod-security.kubernetes.io~1enforce",
            "privileged",
        ),
    ] {
        let object = objects::find(&rendered, kind, name)?;
        let found = object.pointer(path).and_then(Value::as_str);
        ensure!(found == Some(value), "{kind} {name}: {path} is {found:?}");
    }
    Ok(())
}

/// helm refuses to install an object that is there twice, and of two that `kubectl apply` gets, the last stays.
#[test]
fn no_object_is_there_twice() -> anyhow::Result<()> {
    let in_default = ["agent.namespace=default", "agent.createNamespace=false"];
    for (namespace, set) in [
        (RELEASE, &["agent.startupTaint=true"][..]),
        ("default", &["agent.startupTaint=true"]),
        (RELEASE, &[&in_default[..], &["agent.startupTaint=true"]].concat()),
    ] {
        let rendered = objects::read(&helm::template_in(namespace, set)?)?;
        let mut seen = BTreeSet::new();
        for object in &rendered {
            let metadata = &object["metadata"];
            let key = format!("{} {}/{}", object["kind"], metadata["namespace"], metadata["name"]);
            ensure!(
                seen.insert(key.clone()),
                "release in {namespace}, {set:?}: {key} is there twice"
            );
        }
    }
    Ok(())
}

/// kustomize, Argo CD's diff and other parsers read these differently or not at all.
#[test]
fn there_are_no_anchors_aliases_and_merge_keys() -> anyhow::Result<()> {
    let install = std::fs::read_to_string(project::root().join("manifests/install.yaml"))?;
    let mut texts = vec![("install.yaml", install)];
    for (mode, set) in MODES {
        texts.push((mode, helm::template(set)?));
    }
    for file in ["webhook-configuration.yaml", "validating-webhook-configuration.yaml"] {
        let path = project::root().join("manifests").join(file);
        texts.push((file, std::fs::read_to_string(path).context(file)?));
    }
    for (of, text) in &texts {
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let value = line.split_once(": ").map_or("", |(_, value)| value.trim_start());
            let special = ["&", "*"].iter().any(|sign| value.starts_with(*sign));
            ensure!(!special && !line.contains("<<:"), "{of}: {line}");
        }
    }
    Ok(())
}

/// The API server would add it, and the next apply would find another's field.
#[test]
fn each_port_names_its_protocol() -> anyhow::Result<()> {
    let mut seen = 0;
    let set = ["local.enabled=true", "local.tlsSecret=tls", "monitoring.serviceMonitor=true"];
    for object in objects::read(&helm::template(&set)?)? {
        each_port(&object, &mut |port| {
            seen += 1;
            ensure!(port["protocol"] == "TCP", "{} {port}", object["metadata"]["name"]);
            Ok(())
        })?;
    }
    ensure!(seen >= 12, "only {seen} ports");
    Ok(())
}

fn each_port(
    value: &Value,
    see: &mut impl FnMut(&Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                match inner.as_array() {
                    Some(ports) if key == "ports" => ports.iter().try_for_each(&mut *see)?,
                    _ => each_port(inner, see)?,
                }
            }
            Ok(())
        }
        Value::Array(list) => list.iter().try_for_each(|inner| each_port(inner, see)),
        _ => Ok(()),
    }
}
