//! What Flux (kstatus) and Argo CD (the script of `examples/argocd`) make of the three kinds, with the statuses that the
//! controller writes.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use kube::api::DynamicObject;
use podrole_identity::Kind;
use podrole_tests::{cluster::Cluster, namespace::TestNamespace, project, wait};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    stage::{apply, install, role},
    statuses::{ALONE, condition, controller},
};

const PATIENCE: Duration = Duration::from_secs(30);
const PENDING: &str = "podrole's controller has not checked the object yet";

/// A state of an object, and what its health must be.
struct State {
    what: &'static str,
    kstatus: &'static str,
    argocd: &'static str,
    object: Value,
}

/// What the program `health` prints.
#[derive(Debug, Deserialize)]
struct Health {
    status: String,
    message: String,
}

/// The name and the spec of one object of a kind that podrole accepts.
fn accepted(kind: Kind, namespace: &str) -> (String, Value) {
    let role = role("one");
    let namespaces = [namespace];
    match kind {
        Kind::Association => (
            format!("{namespace}.app"),
            json!({"namespace": namespace, "serviceAccount": "app", "roleARN": role}),
        ),
        Kind::Pattern => (namespace.to_owned(), json!({"namespaces": namespaces, "roleARN": role})),
        Kind::Guardrail => {
            (namespace.to_owned(), json!({"namespaces": namespaces, "permittedRoles": [role]}))
        }
    }
}

/// A change of that spec which podrole denies. Guard-rails are denied only if there are too many.
fn denied(kind: Kind) -> Option<Value> {
    let malformed = json!({"policy": "{}}", "disableSessionTags": true});
    (kind != Kind::Guardrail).then_some(malformed)
}

async fn get(
    namespace: &TestNamespace<'_>,
    kind: Kind,
    name: &str,
) -> anyhow::Result<DynamicObject> {
    Ok(podrole_runtime::objects::api(namespace.client(), kind).get(name).await?)
}

/// The object, once the controller has written this for its present generation.
async fn written(
    namespace: &TestNamespace<'_>,
    kind: Kind,
    name: &str,
    wanted: &str,
) -> anyhow::Result<Value> {
    let object = wait::found(wanted, PATIENCE, async || {
        let object = get(namespace, kind, name).await?;
        let observed = object.data["status"]["observedGeneration"].as_i64();
        let current = observed == object.metadata.generation;
        Ok((current && condition(&object, "Accepted") == wanted).then_some(object))
    })
    .await?;
    Ok(serde_json::to_value(object)?)
}

/// The objects of one kind in each state, from a real controller.
async fn states(namespace: &TestNamespace<'_>, kind: Kind) -> anyhow::Result<Vec<State>> {
    let client = namespace.client();
    let (name, mut spec) = accepted(kind, namespace.name());
    apply(&client, kind, &name, &spec).await?;
    let new = serde_json::to_value(get(namespace, kind, &name).await?)?;
    ensure!(new["status"]["conditions"][0]["reason"] == "Pending", "{new:#}");
    let running = controller(namespace, "health").await?;
    let valid = written(namespace, kind, &name, "True Valid").await?;
    let refused = match denied(kind) {
        Some(change) => {
            let (Some(spec), Some(change)) = (spec.as_object_mut(), change.as_object()) else {
                anyhow::bail!("a spec is an object");
            };
            spec.extend(change.clone());
            apply(&client, kind, &name, &json!(spec)).await?;
            written(namespace, kind, &name, "False MalformedPolicy").await?
        }
        None => {
            // As a pattern's: the status of the 201st, without 200 others.
            let mut refused = valid.clone();
            for index in 0..2 {
                let condition = &mut refused["status"]["conditions"][index];
                (condition["status"], condition["reason"]) =
                    ("False".into(), "LimitExceeded".into());
            }
            refused
        }
    };
    drop(running);
    // Without the controller the status is about an earlier generation.
    let (_, mut spec) = accepted(kind, namespace.name());
    let field = if kind == Kind::Guardrail { "permittedRoles" } else { "roleARN" };
    spec[field] = if kind == Kind::Guardrail { json!([role("two")]) } else { role("two").into() };
    apply(&client, kind, &name, &spec).await?;
    let changed = serde_json::to_value(get(namespace, kind, &name).await?)?;
    ensure!(changed["metadata"]["generation"] != changed["status"]["observedGeneration"]);
    let state = |what, kstatus, argocd, object| State { what, kstatus, argocd, object };
    Ok(vec![
        state("without a status", "InProgress", "Progressing", new),
        state("accepted", "Current", "Healthy", valid),
        state("denied", "InProgress", "Degraded", refused),
        state("changed since", "InProgress", "Progressing", changed),
    ])
}

/// What the program says of each object.
fn health(arguments: &[&Path], states: &[State]) -> anyhow::Result<Vec<Health>> {
    let program = project::folder_from("tests/health/build")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("could not start tests/health")?;
    let mut input = child.stdin.take().context("no standard input")?;
    for state in states {
        writeln!(input, "{}", state.object)?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "tests/health: {}", output.status);
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// The scripts of the ConfigMap, by kind.
fn scripts() -> anyhow::Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct ConfigMap {
        data: BTreeMap<String, String>,
    }
    let text = fs::read_to_string(project::root().join("examples/argocd/argocd-cm.yaml"))?;
    Ok(serde_saphyr::from_str::<ConfigMap>(&text)?.data)
}

#[tokio::test]
async fn kstatus_and_argo_cd_wait_for_the_controller_and_see_a_denial() -> anyhow::Result<()> {
    let _alone = ALONE.lock().await;
    install().await?;
    let (cluster, scripts) = (Cluster::shared().await?, scripts()?);
    let page = fs::read_to_string(project::root().join("docs/associations.md"))?;
    let folder = tempfile::tempdir()?;
    for kind in [Kind::Association, Kind::Pattern, Kind::Guardrail] {
        let name = format!("health-{}", kind.plural().trim_start_matches("podidentity"));
        let namespace = cluster.namespace(&name, &[]).await?;
        namespace.service_account("podrole-controller", &[]).await?;
        namespace.service_account("app", &[]).await?;
        let states = states(&namespace, kind).await?;
        let script = scripts.get(&format!("resource.customizations.health.podrole.io_{kind}"));
        let file = folder.path().join("health.lua");
        let script = script.with_context(|| format!("no script for {kind}"))?;
        ensure!(page.contains(script), "docs/associations.md has another script");
        fs::write(&file, script)?;
        let kstatus = health(&["kstatus".as_ref()], &states)?;
        let argocd = health(&["argocd".as_ref(), &file], &states)?;
        ensure!(kstatus.len() == states.len() && argocd.len() == states.len(), "{kind}");
        for ((state, kstatus), argocd) in states.iter().zip(kstatus).zip(argocd) {
            let place = format!("{kind} {}: {kstatus:?} {argocd:?}", state.what);
            ensure!(kstatus.status == state.kstatus, "{place}");
            ensure!(argocd.status == state.argocd, "{place}");
            let condition = &state.object["status"]["conditions"][0];
            let sentence = condition["message"].as_str().context("no message")?;
            let wanted = match state.argocd {
                "Progressing" => PENDING.to_owned(),
                "Healthy" => sentence.to_owned(),
                _ => format!("{}: {sentence}", condition["reason"].as_str().unwrap_or_default()),
            };
            ensure!(argocd.message == wanted, "{place}");
        }
    }
    Ok(())
}
