//! Associations as objects: a process that runs all the time gets, changes and loses its role without a restart, and the objects
//! say in `kubectl` what the agent answers.
//!
//! ```text
//!   kubectl apply ─► API server ─► agent ─► boto3, twice a second (prober.rs): role, access key or error
//!                         └──────► controller ─► status, which `kubectl get` and `kubectl describe` show (shown.rs)
//! ```

mod any_order;
mod prober;
mod shown;

use anyhow::ensure;
use podrole_runtime::clock;
use serde_json::{Value, json};

use self::prober::{Attempt, Prober};
use crate::{report::Seen, stage::Stage};

const NAMESPACE: &str = "associations";
/// Both are created by the sandbox for the ServiceAccount that asks first.
const FIRST: &str = "associations-first";
const SECOND: &str = "associations-second";
/// How long a change may take, in seconds.
const WITHIN: f64 = 5.0;

pub(crate) async fn associations(stage: &Stage) -> Seen {
    labelled(stage, NAMESPACE).await?;
    stage.service_account(NAMESPACE, "app", &[]).await?;
    stage.until_injected(NAMESPACE, "app").await?;
    let mut prober = Prober::start(stage, NAMESPACE, "app").await?;
    let mut seen = vec![before(&mut prober).await?];
    seen.extend(changes(stage, &mut prober).await?);
    ensure!(prober.restarts().await? == 0, "the process was started again");
    prober.stop().await?;
    seen.push(any_order::served(stage).await?);
    Ok(seen.iter().map(|line| format!("\n    {line}")).collect())
}

/// Makes a namespace whose pods get the provider `container` before there is an association.
async fn labelled(stage: &Stage, namespace: &str) -> anyhow::Result<()> {
    stage.namespace(namespace, Some("enabled")).await?;
    let label = ["label", "namespace", namespace, "podrole.io/credentials=container"];
    stage.kubectl(&label).await.map(drop)
}

/// What the agent answers before there is an association.
async fn before(prober: &mut Prober<'_>) -> Seen {
    let wanted = |attempt: &Attempt| {
        attempt.error().is_some_and(|error| {
            error.contains("404") && error.contains("PodIdentityAssociation named associations.app")
        })
    };
    let attempt = prober.until("the agent's answer without an association", 60.0, wanted).await?;
    Ok(format!("no association: {}", attempt.error().unwrap_or_default()))
}

/// Each change and the seconds until the process had it.
async fn changes(stage: &Stage, prober: &mut Prober<'_>) -> anyhow::Result<Vec<String>> {
    let took = prober.role_after(FIRST, association(stage, FIRST, None)).await?;
    let mut seen = vec![format!("created, role of the same process: {took:.1} s")];
    shown::accepted(stage, FIRST).await?;

    let took = prober.role_after(SECOND, association(stage, SECOND, None)).await?;
    seen.push(format!("roleARN changed, the other role: {took:.1} s"));

    let words = ["403", "does not permit", "role/associations-second"];
    let failed = prober.error_after(&words, guardrail(stage, FIRST)).await?;
    seen.push(format!("guard-rail tightened, 403: {failed}"));
    seen.push(shown::refused(stage, SECOND).await?);

    let took = prober.role_after(SECOND, guardrail(stage, SECOND)).await?;
    seen.push(format!("guard-rail widened, the role again: {took:.1} s"));

    let key = prober.settled_key().await?;
    let now = clock::now().to_string();
    let took = prober.other_key_after(&key, association(stage, SECOND, Some(&now))).await?;
    seen.push(format!("notBefore set to now, another access key: {took:.1} s"));

    let delete = async { stage.kubectl(&["delete", "pia", "associations.app"]).await.map(drop) };
    let failed = prober.error_after(&["404", "associations.app"], delete).await?;
    seen.push(format!("deleted, 404: {failed}"));
    stage.kubectl(&["delete", "pig", NAMESPACE]).await?;
    Ok(seen)
}

async fn association(stage: &Stage, role: &str, not_before: Option<&str>) -> anyhow::Result<()> {
    let mut spec = json!({"namespace": NAMESPACE, "serviceAccount": "app", "roleARN": arn(role)});
    if let Some(not_before) = not_before {
        spec["notBefore"] = not_before.into();
    }
    let object = object("PodIdentityAssociation", "associations.app", &spec);
    stage.apply("association", &object.to_string()).await
}

/// A guard-rail that permits one role.
async fn guardrail(stage: &Stage, role: &str) -> anyhow::Result<()> {
    let spec = json!({"namespaces": [NAMESPACE], "permittedRoles": [arn(role)]});
    stage.apply("guardrail", &object("PodIdentityGuardrail", NAMESPACE, &spec).to_string()).await
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    let metadata = json!({"name": name});
    json!({"apiVersion": "podrole.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
}

fn arn(role: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{role}")
}
