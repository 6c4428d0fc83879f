//! `kubectl apply --server-side` of what helm has installed: no field is anybody else's, because none has another value.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::Value;

use crate::{
    helm,
    installed::{Alone, alone, api_of, release, uninstall},
    objects,
};

const SETS: [&[&str]; 4] = [
    &["agent.createNamespace=false"],
    &["agent.createNamespace=false", "local.enabled=true", "local.tlsSecret=tls"],
    &["agent.createNamespace=false", "webhook.hostNetwork=true", "webhook.port=9443"],
    &[
        "agent.createNamespace=false",
        "associations[0].namespace=shop",
        "associations[0].serviceAccount=app",
        "agent.startupTaint=true",
    ],
];

#[tokio::test]
async fn server_side_apply_over_helm_has_no_conflict() -> anyhow::Result<()> {
    let Alone { client, kubeconfig, .. } = &alone().await?;
    let mut conflicts = BTreeMap::new();
    for set in SETS {
        release("install", set, kubeconfig)?;
        let rendered = objects::read(&helm::template(set)?);
        for object in rendered.iter().flatten() {
            if let Err(error) = applied(client, object).await {
                let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
                conflicts.insert(name, format!("{error:#}"));
            }
        }
        uninstall(kubeconfig)?;
    }
    ensure!(conflicts.is_empty(), "{conflicts:#?}");
    Ok(())
}

/// As `kubectl apply --server-side` does: another manager, strict, without force.
async fn applied(client: &kube::Client, object: &Value) -> anyhow::Result<()> {
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    let api: Api<DynamicObject> = api_of(client, &object).await?;
    let name = object.metadata.name.clone().context("no name")?;
    let params = PatchParams {
        field_manager: Some("kubectl".to_owned()),
        field_validation: Some(kube::api::ValidationDirective::Strict),
        ..PatchParams::default()
    };
    api.patch(&name, &params, &Patch::Apply(&object)).await?;
    Ok(())
}
