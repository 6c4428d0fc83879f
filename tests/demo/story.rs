//! The demo of the examples with each credential provider, and of a user's manifests.

use serde_json::Value;

use crate::{EXAMPLE, Manifests, json, run};

fn pods(object: &Value) -> &[Value] {
    object["pods"].as_array().map_or(&[], Vec::as_slice)
}

fn provider(pod: &Value) -> &str {
    pod["provider"].as_str().unwrap_or_default()
}

/// The error of each refusal, in order.
fn refusals(pod: &Value) -> Vec<&str> {
    let refusals = pod["refusals"].as_array().map_or(&[][..], Vec::as_slice);
    refusals.iter().map(|refusal| refusal["error"].as_str().unwrap_or_default()).collect()
}

#[test]
fn the_examples_get_their_role_with_both_providers() {
    let output = run(&[]).unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.matches(EXAMPLE).count() >= 2, "{stdout}");
    for refusal in ["InvalidIdentityToken", "AccessDenied", "400", "403"] {
        assert!(stdout.contains(refusal), "{refusal} is missing: {stdout}");
    }
}

#[test]
fn json_has_the_same_result() {
    let (object, success) = json(&[]).unwrap();
    assert!(success && object["ok"] == true, "{object:#}");
    let pods = pods(&object);
    let providers: Vec<_> = pods.iter().map(provider).collect();
    assert_eq!(providers, ["web-identity", "container"]);
    for pod in pods {
        let arn = pod["arn"].as_str().unwrap_or_default();
        assert!(arn.starts_with(EXAMPLE), "{pod:#}");
    }
}

#[test]
fn each_provider_can_be_shown_alone_with_its_refusals() {
    let of_sts = ["InvalidIdentityToken", "InvalidIdentityToken", "AccessDenied"];
    let of_agent = ["400", "400", "403"];
    for (name, expected) in [("web-identity", of_sts), ("container", of_agent)] {
        let (object, success) = json(&["--provider", name]).unwrap();
        assert!(success && object["ok"] == true, "{object:#}");
        let [pod] = pods(&object) else {
            panic!("{name}: one pod was expected: {object:#}");
        };
        assert_eq!(provider(pod), name);
        let arn = pod["arn"].as_str().unwrap_or_default();
        assert!(arn.starts_with(EXAMPLE), "{pod:#}");
        let refused = refusals(pod);
        assert!(refused.iter().zip(expected).all(|(it, e)| it.contains(e)), "{refused:?}");
        assert_eq!(refused.len(), 3, "{refused:?}");
    }
}

#[test]
fn a_users_manifests_get_their_own_role() {
    let own = Manifests::new("own.yaml", OWN).unwrap();
    let (object, success) = json(&["-f", own.path().unwrap()]).unwrap();
    assert!(success && object["ok"] == true, "{object:#}");
    for pod in pods(&object) {
        let arn = pod["arn"].as_str().unwrap_or_default();
        let role = "arn:aws:sts::444455556666:assumed-role/nightly/";
        assert!(arn.starts_with(role), "{pod:#}");
    }
    assert!(!pods(&object).is_empty(), "{object:#}");
    assert!(object["roles"].to_string().contains("role/nightly"), "{object:#}");
}

#[test]
fn the_old_flag_of_the_provider_still_works() {
    let (object, success) = json(&["--path", "container"]).unwrap();
    assert!(success, "{object:#}");
    assert_eq!(pods(&object).iter().map(provider).collect::<Vec<_>>(), ["container"]);
}

const OWN: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: reports, labels: {podrole.io/injection: enabled}}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: nightly
  namespace: reports
  annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::444455556666:role/nightly"}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: reports}
spec:
  schedule: "0 3 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          serviceAccountName: nightly
          containers: [{name: report, image: "example.org/report:1"}]
"#;
