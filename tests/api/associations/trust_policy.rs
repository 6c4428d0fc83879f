//! `podrole trust-policy` on a real API server: the issuer and the role come from it.

use std::process::{Command, Output};

use podrole_identity::Kind;
use podrole_tests::{cluster::Cluster, project};
use serde_json::{Value, json};

use super::stage::{apply, install, role};

fn trust_policy(cluster: &Cluster, words: &[&str]) -> Output {
    let mut command = Command::new(project::binary("podrole").unwrap());
    command.arg("trust-policy").args(words).arg("--kubeconfig").arg(cluster.kubeconfig());
    command.output().unwrap()
}

fn policy(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_cluster_says_the_issuer_and_the_role() {
    install().await.unwrap();
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("trusted", &[]).await.unwrap();
    let (client, space) = (namespace.client(), namespace.name());
    let role = role("trusted");
    namespace.service_account("annotated", &[("eks.amazonaws.com/role-arn", &role)]).await.unwrap();
    namespace.service_account("associated", &[]).await.unwrap();
    namespace.service_account("bare", &[]).await.unwrap();
    let spec = json!({"namespace": space, "serviceAccount": "associated", "roleARN": role});
    apply(&client, Kind::Association, &format!("{space}.associated"), &spec).await.unwrap();
    let request = http::Request::get("/.well-known/openid-configuration").body(Vec::new());
    let discovery: Value = client.request(request.unwrap()).await.unwrap();
    let issuer = discovery["issuer"].as_str().unwrap().split_once("://").unwrap().1;

    let both = [format!("{space}/annotated"), format!("{space}/associated")];
    let printed = policy(&trust_policy(cluster, &[&both[0], &both[1]]));
    let statement = &printed["Statement"][0];
    let account = role.split(':').nth(4).unwrap();
    let provider = format!("arn:aws:iam::{account}:oidc-provider/{issuer}");
    assert_eq!(statement["Principal"]["Federated"], provider.as_str());
    let subjects = both.map(|it| format!("system:serviceaccount:{}", it.replace('/', ":")));
    assert_eq!(statement["Condition"]["StringEquals"][format!("{issuer}:sub")], json!(subjects));

    for (name, code, words) in [
        ("bare", 1, "no association, pattern or annotation names a role"),
        ("missing", 1, "there is no ServiceAccount"),
    ] {
        let output = trust_policy(cluster, &[&format!("{space}/{name}")]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(words) && output.stdout.is_empty(), "{error}");
    }
}
