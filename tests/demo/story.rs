//! What the demo shows: the examples, each way, and a person's own manifests.

use serde_json::Value;

use crate::{EXAMPLE, Manifests, json, run};

fn pods(object: &Value) -> &[Value] {
    object["pods"].as_array().map_or(&[], Vec::as_slice)
}

fn path(pod: &Value) -> &str {
    pod["path"].as_str().unwrap_or_default()
}

/// Each refusal's token and error, in the order told.
fn refusals(pod: &Value) -> Vec<&str> {
    let refusals = pod["refusals"].as_array().map_or(&[][..], Vec::as_slice);
    refusals.iter().map(|refusal| refusal["error"].as_str().unwrap_or_default()).collect()
}

#[test]
fn the_examples_become_their_role_both_ways() {
    let output = run(&[]).unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{said}");
    assert!(told.matches(EXAMPLE).count() >= 2, "{told}");
    for refusal in ["InvalidIdentityToken", "AccessDenied", "400", "403"] {
        assert!(told.contains(refusal), "{refusal} is missing: {told}");
    }
}

#[test]
fn json_says_the_same_for_scripts() {
    let (object, success) = json(&[]).unwrap();
    assert!(success && object["ok"] == true, "{object:#}");
    let pods = pods(&object);
    let paths: Vec<_> = pods.iter().map(path).collect();
    assert_eq!(paths, ["web-identity", "container"]);
    for pod in pods {
        let arn = pod["arn"].as_str().unwrap_or_default();
        assert!(arn.starts_with(EXAMPLE), "{pod:#}");
    }
}

#[test]
fn each_path_is_shown_alone_with_its_refusals() {
    let of_sts = ["InvalidIdentityToken", "InvalidIdentityToken", "AccessDenied"];
    let of_agent = ["400", "400", "403"];
    for (way, expected) in [("web-identity", of_sts), ("container", of_agent)] {
        let (object, success) = json(&["--path", way]).unwrap();
        assert!(success && object["ok"] == true, "{object:#}");
        let [pod] = pods(&object) else {
            panic!("{way}: one pod was expected: {object:#}");
        };
        assert_eq!(path(pod), way);
        let arn = pod["arn"].as_str().unwrap_or_default();
        assert!(arn.starts_with(EXAMPLE), "{pod:#}");
        let refused = refusals(pod);
        assert!(refused.iter().zip(expected).all(|(it, e)| it.contains(e)), "{refused:?}");
        assert_eq!(refused.len(), 3, "{refused:?}");
    }
}

#[test]
fn a_persons_own_manifests_become_their_own_role() {
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
