//! `podrole revoke` on a real API server: what it writes, and what it says.

use std::process::{Command, Output, Stdio};

use podrole_identity::Kind;
use podrole_tests::{cluster::Cluster, project};
use serde_json::{Value, json};

use super::stage::{apply, install, role};

fn revoke(cluster: &Cluster, words: &[&str]) -> Output {
    let mut command = Command::new(project::binary("podrole").unwrap());
    command.arg("revoke").args(words).arg("--kubeconfig").arg(cluster.kubeconfig());
    command.output().unwrap()
}

/// The exit code if its output is not read.
fn revoke_unread(cluster: &Cluster, target: &str) -> Option<i32> {
    let mut command = Command::new(project::binary("podrole").unwrap());
    command.args(["revoke", target, "--kubeconfig"]).arg(cluster.kubeconfig());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.wait().unwrap().code()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn the_association_gets_a_time_and_the_role_a_policy() {
    install().await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("revoked", &[("example.com/revoked", "yes")]).await.unwrap();
    let (client, space) = (namespace.client(), namespace.name());
    let (own, shared) = (role("revoked"), role("shared-by-two"));
    for (name, spec) in [
        ("app", json!({"roleARN": own, "targetRoleARN": shared, "durationSeconds": 1800})),
        ("other", json!({"roleARN": shared})),
        ("third", json!({"roleARN": shared, "targetRoleARN": own})),
        ("chained", json!({"roleARN": own, "targetRoleARN": shared})),
    ] {
        let mut spec = spec.clone();
        spec["namespace"] = space.into();
        spec["serviceAccount"] = name.into();
        apply(&client, Kind::Association, &format!("{space}.{name}"), &spec).await.unwrap();
    }
    let annotation = [("eks.amazonaws.com/role-arn", shared.as_str())];
    namespace.service_account("annotated", &annotation).await.unwrap();
    let api = podrole_runtime::objects::api(client.clone(), Kind::Association);
    let name = format!("{space}.app");
    let spec = async || api.get(&name).await.unwrap().data["spec"].clone();
    let before = spec().await;

    let target = format!("{space}/app");
    let dry = revoke(cluster, &[&target, "--dry-run"]);
    assert!(dry.status.success(), "{}", text(&dry.stderr));
    assert!(text(&dry.stdout).contains("(server dry run)"), "{}", text(&dry.stdout));
    assert_eq!(spec().await, before);

    let done = revoke(cluster, &[&target]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let (said, after) = (text(&done.stdout), spec().await);
    let time = after["notBefore"].as_str().unwrap().to_owned();
    for part in [
        "--role-name shared-by-two --policy-name podrole-revoke".to_owned(),
        format!(r#""aws:TokenIssueTime":"{time}""#),
        format!("  {space}/other (PodIdentityAssociation)"),
        format!("  {space}/chained (PodIdentityAssociation)"),
        format!("  {space}/annotated (annotation eks.amazonaws.com/role-arn)"),
    ] {
        assert!(said.contains(&part), "no {part} in {said}");
    }
    assert!(!said.contains(&format!("{space}/third")), "it has another last role: {said}");
    let mut expected = before;
    expected["notBefore"] = time.into();
    assert_eq!(after, expected, "it changes one field");
    let fields = api.get(&name).await.unwrap().metadata.managed_fields.unwrap();
    let manager = |it: &_| serde_json::to_value(it).unwrap()["manager"] == "podrole-revoke";
    assert_eq!(fields.iter().filter(|it| manager(it)).count(), 1);
    assert_eq!(revoke_unread(cluster, &target), Some(0), "a closed pipe is no error");
}

#[tokio::test]
async fn without_an_association_the_command_for_what_decides_is_named() {
    install().await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("unrevoked", &[]).await.unwrap();
    let space = namespace.name();
    let target = format!("{space}/app");
    let none = revoke(cluster, &[&target]);
    assert_eq!(none.status.code(), Some(1));
    let said = text(&none.stderr);
    let command = format!("kubectl annotate namespace {space} podrole.io/not-before=2");
    assert!(said.contains(&command) && !said.contains("podidentitypattern"), "{said}");

    let spec: Value = json!({"namespaces": [space], "roleARN": role("a")});
    apply(&namespace.client(), Kind::Pattern, space, &spec).await.unwrap();
    let (low, mut lower) = (format!("{space}-low"), spec.clone());
    lower["priority"] = json!(50);
    apply(&namespace.client(), Kind::Pattern, &low, &lower).await.unwrap();
    let pattern = revoke(cluster, &[&target]);
    assert_eq!(pattern.status.code(), Some(1));
    let said = text(&pattern.stderr);
    assert!(said.contains(&format!("kubectl patch podidentitypattern {space} ")), "{said}");
    assert!(!said.contains(&low), "a pattern of lower priority decides nothing: {said}");
    for name in [space, &low] {
        super::stage::delete(&namespace.client(), Kind::Pattern, name).await.unwrap();
    }

    let missing = revoke(cluster, &["no-such-namespace/app"]);
    assert_eq!(missing.status.code(), Some(2));
    let said = text(&missing.stderr);
    assert!(said.contains("there is no namespace no-such-namespace"), "{said}");
}
