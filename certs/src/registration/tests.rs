use std::collections::BTreeMap;

use super::*;

const MUTATING: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: podrole, labels: {a: b}}
webhooks:
  - name: enabled.podrole.io
    clientConfig: {service: {namespace: podrole, name: podrole-webhook, path: /mutate}}
    rules: [{apiGroups: [""], resources: [pods], operations: [CREATE]}]
  - name: required.podrole.io
    clientConfig: {url: "https://[::1]:8443/mutate/required"}
"#;
const BUDGET: &str = "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b}, spec: {maxUnavailable: 1}}";
const SERVICE: &str = "{apiVersion: v1, kind: Service, metadata: {name: s, namespace: podrole}, spec: {ports: [{name: a, port: 443}]}}";

fn manifests() -> Vec<Manifest> {
    read_all(&[("a.yaml", SERVICE), ("b.yaml", MUTATING), ("c.yaml", BUDGET)]).unwrap()
}

fn read_all(data: &[(&str, &str)]) -> Result<Vec<Manifest>, RegistrationError> {
    let own = |(key, text): &(&str, &str)| ((*key).to_owned(), (*text).to_owned());
    read(&data.iter().map(own).collect::<BTreeMap<_, _>>())
}

#[test]
fn the_config_map_holds_what_makes_api_servers_call_us_and_nothing_else() {
    let kinds: Vec<_> = manifests().iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Kind::Mutating, Kind::Service, Kind::DisruptionBudget]);
    // At the end only configurations are deleted by us: the owner takes the others.
    let deleted: Vec<_> = kinds.iter().map(|kind| kind.is_configuration()).collect();
    assert_eq!(deleted, [true, false, false]);
    for (text, part) in [
        ("{", "x.yaml: "),
        ("{apiVersion: v1, kind: Secret, metadata: {name: a}}", "\"Secret\" of \"v1\""),
        ("{apiVersion: v2, kind: Service, metadata: {name: a}}", "\"Service\" of \"v2\""),
        ("{apiVersion: v1, kind: Service, metadata: {}}", "no name"),
    ] {
        let error = read_all(&[("b.yaml", MUTATING), ("x.yaml", text)]).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let empty = MUTATING.split("webhooks:").next().unwrap();
    for text in [SERVICE, empty] {
        assert!(matches!(read_all(&[("a", text)]), Err(RegistrationError::Incomplete)), "{text}");
    }
}

#[test]
fn the_certificate_has_the_names_that_api_servers_call() {
    assert_eq!(hosts(&manifests()), ["::1", "podrole-webhook.podrole.svc"]);
}

#[test]
fn each_entry_gets_the_bundle_and_its_path_after_the_segment() {
    let completed = manifests().remove(0).completed("PEM", "s3cret");
    let client = |index: usize| &completed.value["webhooks"][index]["clientConfig"];
    assert_eq!(client(0)["service"]["path"], "/s3cret/mutate");
    assert_eq!(client(1)["url"], "https://[::1]:8443/s3cret/mutate/required");
    for index in [0, 1] {
        assert_eq!(client(index)["caBundle"], "UEVN");
    }
    let service = manifests().remove(1);
    assert_eq!(service.clone().completed("PEM", "s3cret"), service);
}

#[test]
fn only_what_differs_is_written_and_only_over_the_version_that_was_read() {
    let owner = Owner { api_version: "v1", kind: "K", name: "o".into(), uid: "u".into() };
    let wanted = manifests().remove(0).completed("PEM", "s3cret").owned_by(&owner);
    let mut found = wanted.value.clone();
    // What the API server adds, and what others may.
    found["metadata"]["resourceVersion"] = "7".into();
    found["metadata"]["annotations"] = json!({"other": "tool"});
    found["webhooks"][0]["timeoutSeconds"] = 10.into();
    found["webhooks"][0]["rules"][0]["scope"] = "*".into();
    found["webhooks"].as_array_mut().unwrap().swap(0, 1);
    assert!(wanted.is_met_by(&found));
    assert_eq!(wanted.replacing(Some(&found))["metadata"]["resourceVersion"], "7");
    assert!(wanted.replacing(None)["metadata"].get("resourceVersion").is_none());
    for (pointer, value) in [
        ("/webhooks/1/clientConfig/caBundle", json!("Zm9yZWlnbg==")),
        ("/webhooks/0/clientConfig/url", json!("https://evil.example/mutate")),
        ("/webhooks/1/rules", json!([])),
        ("/webhooks/1/rules/0/operations", json!(["CREATE", "UPDATE"])),
        ("/webhooks", json!([])),
        ("/webhooks", Value::Null),
        ("/metadata/ownerReferences/0/uid", json!("another")),
        ("/metadata/labels", json!({})),
    ] {
        let mut spoiled = found.clone();
        *spoiled.pointer_mut(pointer).unwrap() = value;
        assert!(!wanted.is_met_by(&spoiled), "{pointer}");
    }
}

/// The API server would keep it: an apply without it removes it.
#[test]
fn a_field_that_is_no_longer_wanted_is_noticed() {
    let before = manifests().remove(0).sealed();
    let mut after = manifests().remove(0);
    after.value["webhooks"][0].as_object_mut().unwrap().remove("rules").unwrap();
    let after = after.sealed();
    assert!(before.is_met_by(&before.value) && after.is_met_by(&after.value));
    assert!(!after.is_met_by(&before.value));
}
