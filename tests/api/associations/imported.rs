//! `podrole associations import --apply` of what clusters with kube2iam and kOps have.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::Context as _;
use kube::{Client, api::DynamicObject, core::Request};
use podrole_identity::Kind;
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    project,
};
use serde_json::{Value, json};

use super::stage::{install, role};

const KEY: &str = "iam.amazonaws.com/role";
const BASE: &str = "arn:aws:iam::111122223333:role/";

/// Creates an object of any kind by its path.
async fn create(client: &Client, path: &str, object: &Value) -> anyhow::Result<()> {
    let request = Request::new(path).create(&Default::default(), serde_json::to_vec(object)?)?;
    client.request::<Value>(request).await?;
    Ok(())
}

/// What `kubectl get -o json` prints of these lists: one List, whose items name their kind.
async fn get(client: &Client, lists: &[(&str, &str, &str)]) -> anyhow::Result<String> {
    let mut all = Vec::new();
    for (path, version, kind) in lists {
        let mut list: Value =
            client.request(Request::new(*path).list(&Default::default())?).await?;
        let items = list["items"].as_array_mut().context("a list has items")?;
        for mut item in items.drain(..) {
            item["apiVersion"] = json!(version);
            item["kind"] = json!(kind);
            all.push(item);
        }
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": all});
    Ok(serde_json::to_string_pretty(&list)?)
}

/// Runs the program with this standard input.
fn import(kubeconfig: &Path, input: &str) -> anyhow::Result<Output> {
    let mut podrole = Command::new(project::binary("podrole")?)
        .args(["associations", "import", "--base-role-arn", BASE, "--apply", "--kubeconfig"])
        .arg(kubeconfig)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    podrole.stdin.take().context("a pipe")?.write_all(input.as_bytes())?;
    Ok(podrole.wait_with_output()?)
}

async fn association(client: &Client, name: &str) -> anyhow::Result<DynamicObject> {
    Ok(podrole_runtime::objects::api(client.clone(), Kind::Association).get(name).await?)
}

/// A Deployment and two pods of kube2iam, and the ConfigMap of kOps.
async fn cluster_with_kube2iam(namespace: &TestNamespace<'_>) -> anyhow::Result<String> {
    let (client, name) = (namespace.client(), namespace.name());
    for service_account in ["worker", "web"] {
        namespace.service_account(service_account, &[]).await?;
    }
    let mut worker = plain_pod("worker-0", "worker");
    worker["metadata"]["annotations"] = json!({KEY: "team/worker"});
    namespace.pod(worker).await?;
    namespace.pod(plain_pod("worker-debug", "worker")).await?;
    let labels = json!({"app": "web"});
    let template = json!({"metadata": {"labels": labels, "annotations": {KEY: role("web")}},
        "spec": plain_pod("web", "web")["spec"]});
    let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": labels}, "template": template}});
    let deployments = format!("/apis/apps/v1/namespaces/{name}/deployments");
    create(&client, &deployments, &web).await?;
    let entry = json!({"RoleARN": role("kops"), "Audience": "amazonaws.com",
        "UseRegionalSTS": true, "TokenExpiration": 0});
    let config = json!({format!("{name}/kops"): entry}).to_string();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "pod-identity-webhook"}, "data": {"config": config}});
    let maps = format!("/api/v1/namespaces/{name}/configmaps");
    create(&client, &maps, &map).await?;
    let pods = format!("/api/v1/namespaces/{name}/pods");
    let lists = [
        (pods.as_str(), "v1", "Pod"),
        (deployments.as_str(), "apps/v1", "Deployment"),
        (maps.as_str(), "v1", "ConfigMap"),
    ];
    get(&client, &lists).await
}

#[tokio::test]
async fn roles_of_kube2iam_and_kops_become_objects_and_a_second_run_changes_nothing() {
    install().await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("imported", &[]).await.unwrap();
    let input = cluster_with_kube2iam(&namespace).await.unwrap();
    let (client, of) = (namespace.client(), namespace.name());
    let mut versions = Vec::new();
    for _ in 0..2 {
        let done = import(&cluster.kubeconfig(), &input).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(done.stdout), text(done.stderr));
        assert!(done.status.success(), "{stderr}");
        let applied = stdout.lines().filter(|line| line.ends_with(" serverside-applied")).count();
        assert_eq!(applied, 3, "{stdout}");
        let shared = format!(
            "{of}/worker: pods without the annotation {KEY} get this role too: Pod worker-debug\n"
        );
        assert_eq!(stderr.matches(&shared).count(), 1, "{stderr}");
        assert!(stderr.contains(&format!("{of}/kops: not imported: UseRegionalSTS: true\n")));
        let mut now = Vec::new();
        for (name, arn) in
            [("worker", role("team/worker")), ("web", role("web")), ("kops", role("kops"))]
        {
            let object = association(&client, &format!("{of}.{name}")).await.unwrap();
            // The schema sets the last one.
            let spec = json!({"namespace": of, "serviceAccount": name, "roleARN": arn,
                "disableSessionTags": false});
            assert_eq!(object.data["spec"], spec);
            // A controller of another test may write the status meanwhile, which changes the `resourceVersion`. Kubernetes dates
            // what a field manager has changed, and a second apply of the same is no change.
            let managers = object.metadata.managed_fields.unwrap_or_default();
            let ours =
                managers.into_iter().find(|it| it.manager.as_deref() == Some("podrole-import"));
            let applied = ours.unwrap().time.unwrap();
            now.push((applied.0, object.metadata.generation));
        }
        versions.push(now);
        // The time has whole seconds.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    }
    assert_eq!(versions[0], versions[1]);
}

#[tokio::test]
async fn nothing_is_applied_if_the_pods_of_a_service_account_name_two_roles() {
    install().await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("two-roles", &[]).await.unwrap();
    for (pod, service_account, name) in
        [("fine", "fine", "one"), ("web", "app", "one"), ("api", "app", "two")]
    {
        let _ = namespace.service_account(service_account, &[]).await;
        let mut manifest = plain_pod(pod, service_account);
        manifest["metadata"]["annotations"] = json!({KEY: name});
        namespace.pod(manifest).await.unwrap();
    }
    let pods = format!("/api/v1/namespaces/{}/pods", namespace.name());
    let input = get(&namespace.client(), &[(&pods, "v1", "Pod")]).await.unwrap();
    let done = import(&cluster.kubeconfig(), &input).unwrap();
    let stderr = String::from_utf8(done.stderr).unwrap();
    assert_eq!((done.status.code(), done.stdout.len()), (Some(1), 0), "{stderr}");
    let said = [
        format!("{}/app: its pods name 2 roles: {BASE}", namespace.name()),
        "(Pod web, <stdin>:".to_owned(),
        "(Pod api, <stdin>:".to_owned(),
        "give one of the workloads its own ServiceAccount".to_owned(),
        "nothing is printed or applied".to_owned(),
    ];
    assert!(said.iter().all(|part| stderr.contains(part)), "{stderr}");
    let fine = association(&namespace.client(), &format!("{}.fine", namespace.name())).await;
    assert!(fine.is_err(), "{fine:?}");
}
