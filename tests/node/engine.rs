//! The sync engine: External Secrets Operator as a pod that the webhook injects, its stores, and an application that mounts what
//! it syncs.
//!
//! ```text
//!   ExternalSecret ─► operator ─► sandbox (who are you?) ─► moto (Secrets Manager, Parameter Store, ECR)
//!          Secret  ◄─┘                                   application: secret.podrole.io/… mounts it
//! ```

mod example;
mod manifests;
mod outcome;
mod stores;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use tokio::time::Instant;

pub(crate) use example::example;

use self::{
    manifests::role,
    stores::{KEY, NAMESPACE as ENGINE},
};
use crate::{
    pods::{container, pod},
    report::Seen,
    stage::{self, Stage},
};

const OPERATOR: &str = include_str!("manifests/external-secrets.yaml");
/// Where the operator is.
const OPERATORS: &str = "external-secrets";
/// What lies in moto, and what lies there later.
const VALUE: &str = "correct horse";
const CHANGED: &str = "battery staple";
/// Puts the value of its second argument into moto, under the name of its first.
const PUT: &str = r#"
import sys, boto3
name, value = sys.argv[1:]
def moto(service):
    return boto3.client(service, endpoint_url="http://moto.moto.svc:5000", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
secrets = moto("secretsmanager")
try:
    secrets.create_secret(Name=name, SecretString=value)
except secrets.exceptions.ResourceExistsException:
    secrets.put_secret_value(SecretId=name, SecretString=value)
moto("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
print("put", flush=True)
"#;
/// ServiceAccounts with the role that each is annotated with. The last is not the one that its role trusts.
const SERVICE_ACCOUNTS: [(&str, &str, &str); 5] = [
    (OPERATORS, "external-secrets", "engine"),
    (OPERATORS, "platform", "engine-platform"),
    (ENGINE, "reader", "engine-reader"),
    (ENGINE, "tenant", "engine-tenant"),
    (ENGINE, "stranger", "engine-reader"),
];

pub(crate) async fn synced(stage: &Stage) -> Seen {
    stage.images(&["eso"]).await?;
    crds(stage).await?;
    for namespace in [OPERATORS, ENGINE] {
        stage.namespace(namespace, Some("enabled")).await?;
    }
    for (namespace, name, of) in SERVICE_ACCOUNTS {
        let annotation = ("eks.amazonaws.com/role-arn", &*role(of));
        stage.service_account(namespace, name, &[annotation]).await?;
    }
    stage.until_injected(OPERATORS, "external-secrets").await?;
    stage.apply("operator", OPERATOR).await?;
    put(stage, "put", VALUE).await?;
    stage.rolled_out(OPERATORS, "deployment/external-secrets").await?;

    stage.service_account(ENGINE, "app", &[("secret.podrole.io/sm-pod", "/secrets")]).await?;
    waiting_app(stage).await?;
    let begun = Instant::now();
    stage.apply("stores", &manifests::all()).await?;
    let refusals = outcome::settled(stage, VALUE, 90).await?;
    let took = begun.elapsed().as_secs();
    outcome::signed_by_each(stage).await?;
    let mut seen = vec![format!(
        "{} of {} stores and generators that must sync had synced {took} s after they were made, each as its role",
        stores::ROWS.len() - refusals.len(),
        stores::ROWS.len() - refusals.len(),
    )];
    seen.extend(refusals);
    seen.push(mounted(stage).await?);
    Ok(seen.iter().map(|line| format!("\n    {line}")).collect())
}

/// Puts another value where the stores look, which is what they must bring after this. Returns whether there is an operator.
pub(crate) async fn put_another_value(stage: &Stage) -> anyhow::Result<bool> {
    let namespaces = Api::<Namespace>::all(stage.client.clone());
    let is_there = namespaces.get_opt(ENGINE).await?.is_some();
    if is_there {
        put(stage, "put-again", CHANGED).await?;
    }
    Ok(is_there)
}

/// Takes all Secrets away, so that every store and generator has to ask AWS again, and waits until they are back.
pub(crate) async fn synced_again(stage: &Stage) -> Seen {
    let begun = Instant::now();
    let managed = "reconcile.external-secrets.io/managed=true";
    stage.kubectl(&["-n", ENGINE, "delete", "secrets", "-l", managed]).await?;
    let refusals = outcome::settled(stage, CHANGED, 45).await?;
    Ok(format!(
        "{} stores and generators of the sync engine synced again within {} s, the {} that AWS refuses have no Secret",
        stores::ROWS.len() - refusals.len(),
        begun.elapsed().as_secs(),
        refusals.len()
    ))
}

async fn put(stage: &Stage, name: &str, value: &str) -> anyhow::Result<()> {
    let command = ["python3", "-c", PUT, KEY, value];
    let pod = pod(name, "default", &[container("put", "python", &command)]);
    let said = stage.run_pod("moto", pod, 60).await?.logs.remove("put").unwrap_or_default();
    ensure!(said.contains("put"), "moto did not take the secret: {said}");
    Ok(())
}

/// The application, before there is anything to mount: the kubelet makes it wait.
async fn waiting_app(stage: &Stage) -> anyhow::Result<()> {
    let mut manifest =
        pod("app", "app", &[container("app", "busybox", &["cat", "/secrets/password"])]);
    manifest["spec"]["terminationGracePeriodSeconds"] = 0.into();
    let stored: Pod = stage.create(ENGINE, manifest).await?;
    let volumes = stored.spec.and_then(|spec| spec.volumes).unwrap_or_default();
    ensure!(
        volumes.iter().any(|volume| volume.secret.is_some()),
        "the webhook gave the pod no Secret volume"
    );
    stage::until("the application to wait for its Secret", 60, async || {
        let events = stage
            .kubectl(&["-n", ENGINE, "get", "events", "-o", "jsonpath={.items[*].message}"])
            .await?;
        Ok(events.contains("sm-pod"))
    })
    .await
}

/// It starts when the Secret is there; the kubelet may take two minutes to look again.
async fn mounted(stage: &Stage) -> anyhow::Result<String> {
    let begun = Instant::now();
    let api = stage.api::<Pod>(ENGINE);
    stage::until("the application's end", 180, async || {
        Ok(api.get("app").await?.status.and_then(|status| status.phase).as_deref()
            == Some("Succeeded"))
    })
    .await?;
    let read = stage.log(ENGINE, "app", "app").await?;
    ensure!(read.trim() == VALUE, "the application read {read:?}");
    Ok(format!(
        "an application that waited for the Secret mounted it {} s after all had synced",
        begun.elapsed().as_secs()
    ))
}

/// The operator's own CRDs, from the folder of its module.
async fn crds(stage: &Stage) -> anyhow::Result<()> {
    let folder = format!("{}/crds", stage::outside("tests/eso/build", &[]).await?.trim());
    stage.kubectl(&["apply", "--server-side", "-f", &folder]).await?;
    let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
    stage.kubectl(&wait).await.context("the operator's CRDs")?;
    Ok(())
}
