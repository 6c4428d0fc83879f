//! With `passRole.enabled`, a user gives only the roles that the user has the right to pass.

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::{
    core::v1::ServiceAccount,
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use podrole_tests::{cluster::Cluster, wait};
use serde_json::{Value, json};

use super::{Kind, ROLE, TARGET};
use crate::installed::{Alone, alone, client_of, release, uninstall};

const PATIENCE: Duration = Duration::from_secs(30);
const TEMPLATE: &str = "arn:aws:iam::111122223333:role/{namespace}/{serviceAccount}";

/// A ServiceAccount that has these ClusterRoles.
async fn user(cluster: &Cluster, name: &str, roles: &[&str]) -> anyhow::Result<Client> {
    let client = cluster.client().await?;
    let apply = PatchParams::apply("test");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), "podrole");
    accounts.patch(name, &apply, &Patch::Apply(&account)).await?;
    for role in roles {
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("{name}-{role}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "podrole"}]});
        let bindings = Api::<ClusterRoleBinding>::all(client.clone());
        bindings.patch(&format!("{name}-{role}"), &apply, &Patch::Apply(&binding)).await?;
    }
    client_of(cluster, "podrole", name).await
}

/// What the API server says to a user who creates the object; nothing if it would be created.
async fn creation(client: &Client, kind: Kind, spec: Value) -> anyhow::Result<String> {
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let object = kind.object(&json!({"spec": spec}))?;
    said(kind.api(client).create(&params, &object).await)
}

fn said(result: kube::Result<DynamicObject>) -> anyhow::Result<String> {
    match result {
        Ok(_) => Ok(String::new()),
        Err(kube::Error::Api(status)) => Ok(status.message),
        Err(error) => Err(error.into()),
    }
}

/// The message about a role that the user may not give.
fn denial(roles: &str) -> String {
    format!(
        "to give roles to pods you need this RBAC rule: {{apiGroups: [podrole.io], resources: [iamroles], \
         verbs: [pass], resourceNames: [{roles}]}}"
    )
}

#[tokio::test]
async fn a_user_gives_only_roles_with_the_right_to_pass_them() -> anyhow::Result<()> {
    let Alone { cluster, client, kubeconfig, .. } = &alone().await?;
    release("install", &["agent.createNamespace=false", "passRole.enabled=true"], kubeconfig)?;
    let result = passes(cluster, client).await;
    let _ = Kind::Association.api(client).delete("passed.app", &DeleteParams::default()).await;
    uninstall(kubeconfig)?;
    result
}

async fn passes(cluster: &Cluster, client: &Client) -> anyhow::Result<()> {
    let may_pass = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "may-pass"}, "rules": [{"apiGroups": ["podrole.io"],
        "resources": ["iamroles"], "verbs": ["pass"], "resourceNames": [ROLE, TEMPLATE]}]});
    let apply = PatchParams::apply("test");
    let roles = Api::<ClusterRole>::all(client.clone());
    roles.patch("may-pass", &apply, &Patch::Apply(&may_pass)).await?;
    const EDITOR: &str = "podrole-association-editor";
    let passing = user(cluster, "passing", &[EDITOR, "may-pass"]).await?;
    let editing = user(cluster, "editing", &[EDITOR]).await?;

    // The API server learns of the rights and of the policy a moment later.
    let spec = json!({"namespace": "passed"});
    let wait_for =
        async || Ok(creation(&passing, Kind::Association, spec.clone()).await?.is_empty());
    wait::until("the right to pass the role", PATIENCE, wait_for).await?;
    let refused = async || {
        Ok(creation(&editing, Kind::Association, spec.clone()).await?.contains(&denial(ROLE)))
    };
    wait::until("the policy", PATIENCE, refused).await?;

    let other = "arn:aws:iam::111122223333:role/admin";
    for (kind, spec, refused) in [
        (Kind::Association, json!({"roleARN": other}), Some(other.to_owned())),
        // Each role of a chain.
        (Kind::Association, json!({"targetRoleARN": TARGET}), Some(format!("{ROLE}, {TARGET}"))),
        (Kind::Association, json!({"targetRoleARN": ROLE}), None),
        // Of a pattern the text counts: RBAC has no globs.
        (Kind::Pattern, json!({"roleARN": TEMPLATE}), None),
        (
            Kind::Pattern,
            json!({"roleARN": "arn:aws:iam::111122223333:role/{namespace}"}),
            Some("arn:aws:iam::111122223333:role/{namespace}".to_owned()),
        ),
    ] {
        let message = creation(&passing, kind, spec.clone()).await?;
        match refused {
            Some(roles) => ensure!(message.contains(&denial(&roles)), "{spec}: {message}"),
            None => ensure!(message.is_empty(), "{spec}: {message}"),
        }
    }
    let guardrail = creation(&passing, Kind::Guardrail, json!({})).await?;
    ensure!(guardrail.contains("forbidden"), "an editor of associations lifts limits: {guardrail}");

    let narrow = json!({"namespace": "passed", "policy": "{}", "disableSessionTags": true});
    let object = Kind::Association.object(&json!({"spec": narrow}))?;
    let theirs = Kind::Association.api(&editing);
    let own = Kind::Association.api(&passing);
    own.create(&PostParams::default(), &object).await?;
    let merge = async |api: &Api<DynamicObject>, patch: Value| {
        said(api.patch("passed.app", &PatchParams::default(), &Patch::Merge(&patch)).await)
    };
    let annotated =
        merge(&theirs, json!({"metadata": {"annotations": {"example.com/a": "b"}}})).await?;
    ensure!(annotated.is_empty(), "a change of metadata gives no role: {annotated}");
    // A session without its policy may do more.
    let widened = merge(&theirs, json!({"spec": {"policy": null}})).await?;
    ensure!(widened.contains(&denial(ROLE)), "{widened}");
    let widened = merge(&own, json!({"spec": {"policy": null}})).await?;
    ensure!(widened.is_empty(), "{widened}");
    let status = json!({"status": {"observedGeneration": 1}});
    let written =
        theirs.patch_status("passed.app", &PatchParams::default(), &Patch::Merge(&status)).await;
    ensure!(said(written)?.contains("forbidden"), "an editor writes the status");
    Ok(())
}
