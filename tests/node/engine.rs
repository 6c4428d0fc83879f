//! The sync engine: External Secrets Operator as a pod that the webhook injects, its stores, and an application that mounts what
//! it syncs.
//!
//! ```text
//!   ExternalSecret ─► operator ─► sandbox (who are you?) ─► moto (Secrets Manager)
//!          Secret  ◄─┘                                   application: secret.podrole.io/… mounts it
//! ```

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Pod, Secret};
use serde_json::Value;

use crate::{
    pods::{container, pod},
    report::Seen,
    stage::{self, Stage},
};

const OPERATOR: &str = include_str!("manifests/external-secrets.yaml");
const STORES: &str = include_str!("manifests/stores.yaml");
const STRANGER: &str = include_str!("manifests/stranger.yaml");
const EXTERNAL: &str = include_str!("manifests/external-secret.yaml");
/// What lies in moto.
const VALUE: &str = "correct horse";
const PUT: &str = r#"
import boto3
moto = boto3.client("secretsmanager", endpoint_url="http://moto.moto.svc:5000", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
moto.create_secret(Name="shop/password", SecretString="correct horse")
print("put", flush=True)
"#;

pub(crate) async fn synced(stage: &Stage) -> Seen {
    stage.images(&["eso"]).await?;
    crds(stage).await?;
    stage.namespace("external-secrets", Some("enabled")).await?;
    let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    stage
        .service_account(
            "external-secrets",
            "external-secrets",
            &[("eks.amazonaws.com/role-arn", &role("engine"))],
        )
        .await?;
    stage.until_injected("external-secrets", "external-secrets").await?;
    stage.apply("operator", OPERATOR).await?;
    let put = stage
        .run_pod(
            "moto",
            pod("put", "default", &[container("put", "python", &["python3", "-c", PUT])]),
            60,
        )
        .await?;
    ensure!(put.logs["put"].contains("put"), "moto did not take the secret: {}", put.logs["put"]);
    stage.rolled_out("external-secrets", "deployment/external-secrets").await?;

    stage.namespace("engine", Some("enabled")).await?;
    // The role of `reader` comes into being for `reader`: to `stranger` it says no.
    stage
        .service_account(
            "engine",
            "reader",
            &[("eks.amazonaws.com/role-arn", &role("engine-reader"))],
        )
        .await?;
    stage
        .service_account(
            "engine",
            "stranger",
            &[("eks.amazonaws.com/role-arn", &role("engine-reader"))],
        )
        .await?;
    stage.service_account("engine", "app", &[("secret.podrole.io/from-pod", "/secrets")]).await?;
    waiting_app(stage).await?;

    stage.apply("stores", STORES).await?;
    stage.apply("external", EXTERNAL).await?;
    let mut seen = Vec::new();
    for (secret, how) in [
        ("from-pod", "no auth, through the agent"),
        ("from-jwt", "serviceAccountRef, by web identity"),
    ] {
        let begun = tokio::time::Instant::now();
        synced_secret(stage, secret).await?;
        seen.push(format!("store with {how}: synced after {} s", begun.elapsed().as_secs()));
    }
    stage.apply("stranger", STRANGER).await?;
    seen.push(format!(
        "store whose ServiceAccount the trust policy does not name: {}",
        refusal(stage).await?
    ));
    seen.push(mounted(stage).await?);
    Ok(seen.join("; "))
}

/// The application, before there is anything to mount: the kubelet makes it wait.
async fn waiting_app(stage: &Stage) -> anyhow::Result<()> {
    let mut manifest =
        pod("app", "app", &[container("app", "busybox", &["cat", "/secrets/password"])]);
    manifest["spec"]["terminationGracePeriodSeconds"] = 0.into();
    let stored: Pod = stage.create("engine", manifest).await?;
    let volumes = stored.spec.and_then(|spec| spec.volumes).unwrap_or_default();
    ensure!(
        volumes.iter().any(|volume| volume.secret.is_some()),
        "the webhook gave the pod no Secret volume"
    );
    stage::until("the application to wait for its Secret", 60, async || {
        let events = stage
            .kubectl(&["-n", "engine", "get", "events", "-o", "jsonpath={.items[*].message}"])
            .await?;
        Ok(events.contains("from-pod"))
    })
    .await
}

/// It starts when the Secret is there; the kubelet may take two minutes to look again.
async fn mounted(stage: &Stage) -> anyhow::Result<String> {
    let begun = tokio::time::Instant::now();
    let api = stage.api::<Pod>("engine");
    stage::until("the application's end", 180, async || {
        Ok(api.get("app").await?.status.and_then(|status| status.phase).as_deref()
            == Some("Succeeded"))
    })
    .await?;
    let read = stage.log("engine", "app", "app").await?;
    ensure!(read.trim() == VALUE, "the application read {read:?}");
    Ok(format!(
        "an application that waited for the Secret mounted it {} s after it came",
        begun.elapsed().as_secs()
    ))
}

async fn synced_secret(stage: &Stage, name: &str) -> anyhow::Result<()> {
    let api = stage.api::<Secret>("engine");
    let come = stage::until(&format!("Secret {name}"), 90, async || {
        let data = api.get_opt(name).await?.and_then(|secret| secret.data).unwrap_or_default();
        Ok(data.get("password").is_some_and(|bytes| bytes.0 == VALUE.as_bytes()))
    })
    .await;
    if come.is_err() {
        let status = stage.kubectl(&["-n", "engine", "get", "externalsecrets,secretstores", "-o", "jsonpath={range .items[*]}{.metadata.name}: {.status.conditions[*].message}{\"\\n\"}{end}"]).await?;
        let events = stage.kubectl(&["-n", "engine", "get", "events"]).await?;
        return come.with_context(|| format!("{status}\n{events}"));
    }
    Ok(())
}

/// What the person sees who asks why the third store does not work.
async fn refusal(stage: &Stage) -> anyhow::Result<String> {
    let said = std::cell::RefCell::new(String::new());
    stage::until("the third store's refusal", 60, async || {
        let events: Value = serde_json::from_str(
            &stage.kubectl(&["-n", "engine", "get", "events", "-o", "json"]).await?,
        )?;
        let about = |event: &&Value| {
            event["involvedObject"]["name"] == "stranger"
                && event["message"].as_str().is_some_and(|message| message.contains("AccessDenied"))
        };
        let found = events["items"].as_array().and_then(|items| items.iter().find(about).cloned());
        *said.borrow_mut() = found
            .map(|event| event["message"].as_str().unwrap_or_default().to_owned())
            .unwrap_or_default();
        Ok(!said.borrow().is_empty())
    })
    .await?;
    let said = said.into_inner();
    Ok(said.split(": ").last().map(|end| end.chars().take(120).collect()).unwrap_or_default())
}

/// The operator's own CRDs, from the folder of its module.
async fn crds(stage: &Stage) -> anyhow::Result<()> {
    let folder = format!("{}/crds", stage::outside("tests/eso/build", &[]).await?.trim());
    stage.kubectl(&["apply", "--server-side", "-f", &folder]).await?;
    stage
        .kubectl(&[
            "wait",
            "--for=condition=Established",
            "crd/externalsecrets.external-secrets.io",
            "crd/secretstores.external-secrets.io",
            "--timeout=60s",
        ])
        .await?;
    Ok(())
}
