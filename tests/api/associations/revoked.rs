//! `podrole revoke` on a real API server: what it writes, and what it says.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::ServiceAccount,
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kube::api::{Api, PostParams};
use podrole_identity::Kind;
use podrole_tests::{cluster::Cluster, namespace::TestNamespace, project, wait};
use serde_json::{Value, json};

use super::stage::{KEY, apply, install, role, sandbox};

fn revoke(cluster: &Cluster, words: &[&str]) -> Output {
    revoke_with(&cluster.kubeconfig(), words)
}

fn revoke_with(kubeconfig: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(project::binary("podrole").unwrap());
    command.arg("revoke").args(words).arg("--kubeconfig").arg(kubeconfig);
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
async fn the_policy_is_put_on_the_role_if_that_is_asked_for() {
    install().await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("revoked-in-aws", &[]).await.unwrap();
    let (client, space) = (namespace.client(), namespace.name());
    let name = format!("{space}.app");
    let spec = json!({"namespace": space, "serviceAccount": "app", "roleARN": role("one")});
    apply(&client, Kind::Association, &name, &spec).await.unwrap();
    let sandbox = sandbox().await.unwrap();
    let endpoint = format!("http://{}", sandbox.address);
    let run = |secret: &str| {
        let mut command = Command::new(project::binary("podrole").unwrap());
        command.args(["revoke", &format!("{space}/app"), "--aws", "--apply", "--kubeconfig"]);
        command.arg(cluster.kubeconfig()).envs(KEY).env("AWS_SECRET_ACCESS_KEY", secret);
        command.envs([("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", &endpoint)]);
        command.output().unwrap()
    };
    let refused = run("wrong");
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert!(said.contains("STS refuses the call: SignatureDoesNotMatch"), "{said}");
    let api = podrole_runtime::objects::api(client, Kind::Association);
    assert!(api.get(&name).await.unwrap().data["spec"].get("notBefore").is_none());

    let done = run(KEY[1].1);
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}{}", text(&done.stderr));
    assert!(
        said.contains(
            "\naws iam delete-role-policy --role-name one --policy-name podrole-revoke\n"
        ),
        "{said}"
    );
    assert!(api.get(&name).await.unwrap().data["spec"]["notBefore"].is_string());
    assert!(sandbox.process().log().contains("PutRolePolicy"));
}

/// The rights of `podrole-association-editor` and no others.
async fn editor(cluster: &Cluster, namespace: &TestNamespace<'_>) -> PathBuf {
    let (client, space) = (namespace.client(), namespace.name());
    namespace.service_account("editor", &[]).await.unwrap();
    let role: ClusterRole = serde_json::from_value(json!({"metadata": {"name": space}, "rules": [
        {"apiGroups": ["podrole.io"], "verbs": ["get", "list", "watch", "create", "update", "patch", "delete"],
            "resources": ["podidentityassociations", "podidentitypatterns"]}]})).unwrap();
    let binding = json!({"metadata": {"name": space},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": space},
        "subjects": [{"kind": "ServiceAccount", "name": "editor", "namespace": space}]});
    let binding: ClusterRoleBinding = serde_json::from_value(binding).unwrap();
    let params = PostParams::default();
    Api::all(client.clone()).create(&params, &role).await.unwrap();
    Api::all(client.clone()).create(&params, &binding).await.unwrap();
    let accounts = Api::<ServiceAccount>::namespaced(client, space);
    let minted = accounts.create_token_request("editor", &params, &TokenRequest::default()).await;
    let token = minted.unwrap().status.unwrap().token;
    cluster.kubeconfig_with(&format!("{space}-editor"), &token).unwrap()
}

#[tokio::test]
async fn who_may_only_write_associations_revokes_and_gets_the_policy() {
    install().await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("editor-revokes", &[]).await.unwrap();
    let (client, space) = (namespace.client(), namespace.name());
    let name = format!("{space}.app");
    let spec = json!({"namespace": space, "serviceAccount": "app", "roleARN": role("edited")});
    apply(&client, Kind::Association, &name, &spec).await.unwrap();
    let kubeconfig = editor(cluster, &namespace).await;
    let target = format!("{space}/app");
    let said = Cell::new(String::new());
    // RBAC's own caches learn of the binding within a moment.
    let revoked = async || {
        let done = revoke_with(&kubeconfig, &[&target]);
        said.set(format!("{}{}", text(&done.stdout), text(&done.stderr)));
        Ok(done.status.success())
    };
    wait::until("the revocation", Duration::from_secs(10), revoked).await.unwrap();
    let said = said.take();
    for part in
        ["--role-name edited ", "which those are is not known: could not list ServiceAccounts"]
    {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let api = podrole_runtime::objects::api(client, Kind::Association);
    assert!(api.get(&name).await.unwrap().data["spec"]["notBefore"].is_string());
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
