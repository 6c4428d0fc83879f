//! Files of other charts and repositories, each with what its author must see.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{Manifests, json, run};
use podrole_tests::project;

fn case(name: &str) -> String {
    project::root().join("cli/tests/cases").join(name).with_extension("yaml").display().to_string()
}

/// Whether a pod got its role, its container, and the ARN.
type Pod = (bool, String, String);

/// The pods of a run, whether it succeeded, and its report.
fn shown(file: &str) -> anyhow::Result<(Vec<Pod>, bool, Value)> {
    let (object, success) = json(&["-f", file])?;
    ensure!(object["ok"] == success, "{object:#}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pods = object["pods"].as_array().context("there are no pods")?.iter();
    let pods = pods.map(|it| (it["ok"] == true, text(&it["container"]), text(&it["arn"])));
    Ok((pods.collect(), success, object))
}

#[test]
fn a_workload_without_a_role_is_named_and_stops_nothing() {
    let (pods, success, object) = shown(&case("demo-test-pod")).unwrap();
    assert!(success && pods.len() == 2 && pods.iter().all(|pod| pod.0), "{object:#}");
    let skipped = &object["skipped"][0];
    assert_eq!(skipped["workload"], "Pod default/web-test");
    assert!(skipped["reason"].as_str().unwrap().contains("no role"), "{object:#}");
    let (object, success) =
        json(&["-f", &case("demo-test-pod"), "--workload", "web-test"]).unwrap();
    let why = object["failure"]["why"].as_str().unwrap();
    assert!(!success && why.contains("names a role"), "{object:#}");
}

#[test]
fn only_what_the_first_container_gets_counts() {
    let (pods, success, object) = shown(&case("demo-main-left-alone")).unwrap();
    assert!(!success && pods.iter().all(|pod| !pod.0), "{object:#}");
    let why = object["failure"]["why"].as_str().unwrap();
    assert!(why.contains("container main") && why.contains("AWS_PROFILE"), "{object:#}");
    // Left out by its author, the first container is not the one that counts.
    let text = std::fs::read_to_string(case("demo-main-left-alone")).unwrap();
    let skips = "  name: p\n  annotations: {eks.amazonaws.com/skip-containers: main}\n";
    let file = Manifests::new("skips.yaml", &text.replace("  name: p\n", skips)).unwrap();
    let (pods, success, object) = shown(file.path().unwrap()).unwrap();
    assert!(success && pods.iter().all(|pod| pod.0 && pod.1 == "side"), "{object:#}");
}

#[test]
fn regions_and_partitions_follow_the_pod_and_its_role() {
    for (name, partition) in [("demo-own-region", "aws"), ("demo-china", "aws-cn")] {
        let (pods, success, object) = shown(&case(name)).unwrap();
        let arn = format!("arn:{partition}:sts::111122223333:assumed-role/app/");
        assert!(success && pods.len() == 2, "{object:#}");
        assert!(pods.iter().all(|(ok, _, it)| *ok && it.starts_with(&arn)), "{object:#}");
    }
    let china = std::fs::read_to_string(case("demo-china")).unwrap();
    let gov = china.replace("aws-cn", "aws-us-gov").replace("name: p\n", "name: q\n");
    let gov = gov.replace("name: app\n", "name: gov\n").replace("Name: app\n", "Name: gov\n");
    let file = Manifests::new("both.yaml", &format!("{china}---\n{gov}")).unwrap();
    let (pods, success, object) = shown(file.path().unwrap()).unwrap();
    assert!(success && pods.len() == 4, "{object:#}");
    let of = |start| pods.iter().filter(|pod| pod.2.starts_with(start)).count();
    assert_eq!((of("arn:aws-cn:"), of("arn:aws-us-gov:")), (2, 2), "{object:#}");
}

#[test]
fn a_kind_of_another_group_is_named_before_nothing_is_tried() {
    let (object, success) = json(&["-f", &case("rollout")]).unwrap();
    assert!(!success && object["kind"] == "DemoReport", "{object:#}");
    assert_eq!(object["skipped"][0]["workload"], "Rollout default/r");
    assert!(object["failure"]["why"].as_str().unwrap().contains("no workload"), "{object:#}");
}

#[test]
fn a_pod_for_windows_is_named_as_not_tried() {
    let (pods, success, object) = shown(&case("demo-windows")).unwrap();
    assert!(success && pods.is_empty(), "{object:#}");
    let reason = object["skipped"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("not tried") && reason.contains("Windows"), "{object:#}");
}

#[test]
fn a_failure_shows_the_answer_to_its_own_request_and_the_others_go_on() {
    let text = std::fs::read_to_string(case("demo-test-pod")).unwrap();
    let bad = text
        .replace("111122223333:role/app", "1111:role/app")
        .replace("name: web\n", "name: bad\n");
    let bad = bad.replace("name: app\n", "name: wrong\n").replace("Name: app\n", "Name: wrong\n");
    let file = Manifests::new("two.yaml", &format!("{bad}---\n{text}")).unwrap();
    let (pods, success, object) = shown(file.path().unwrap()).unwrap();
    assert!(!success && pods.len() == 4, "{object:#}");
    assert!(pods[..2].iter().all(|pod| !pod.0) && pods[2..].iter().all(|pod| pod.0), "{object:#}");
    let web = object["failure"]["why"].as_str().unwrap();
    assert!(web.contains("its account is not 12 digits"), "{object:#}");
    assert!(!web.contains("sandbox's log"), "{object:#}");
    let container = object["pods"][1]["failure"]["why"].as_str().unwrap();
    assert!(container.contains("the agent answers 400: "), "{object:#}");
    let output = run(&["-f", file.path().unwrap()]).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr.matches("fix: ").count(), 2, "{stderr}");
}
