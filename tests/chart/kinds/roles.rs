//! Who may read and who may write the kinds.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;

use crate::{
    helm,
    installed::{Alone, alone, release, uninstall},
};

const AGGREGATES: &str = "rbac.authorization.k8s.io/aggregate-to-";

/// Reading is part of `view`, and through it of `edit` and `admin`; writing is part of none of them.
#[tokio::test]
async fn reading_aggregates_and_writing_does_not() -> anyhow::Result<()> {
    let Alone { client, kubeconfig, .. } = &alone().await?;
    release("install", &["agent.createNamespace=false"], kubeconfig)?;
    let roles = Api::<ClusterRole>::all(client.clone());
    let result = async {
        let labels = async |name: &str| {
            anyhow::Ok(roles.get(name).await?.metadata.labels.unwrap_or_default())
        };
        let viewer = labels("podrole-association-viewer").await?;
        ensure!(
            viewer.get(&format!("{AGGREGATES}view")).is_some_and(|it| it == "true"),
            "{viewer:?}"
        );
        // How Kubernetes's own roles include each other, which is why one label is enough.
        for (smaller, larger) in [("view", "edit"), ("edit", "admin")] {
            let label = format!("{AGGREGATES}{larger}");
            let is_labelled = labels(smaller).await?.get(&label).is_some_and(|it| it == "true");
            ensure!(is_labelled, "{larger} does not include {smaller}");
            let rule = roles.get(larger).await?.aggregation_rule.context("no aggregation")?;
            ensure!(format!("{rule:?}").contains(&label), "{larger}: {rule:?}");
        }
        for editor in ["podrole-association-editor", "podrole-guardrail-editor"] {
            let labels = labels(editor).await?;
            ensure!(!labels.keys().any(|it| it.starts_with(AGGREGATES)), "{editor}: {labels:?}");
        }
        let reads = roles.get("podrole-association-viewer").await?.rules.unwrap_or_default();
        ensure!(reads.iter().all(|it| it.verbs == ["get", "list", "watch"]), "{reads:?}");
        Ok(())
    };
    let result = result.await;
    uninstall(kubeconfig)?;
    result
}

#[test]
fn without_associations_there_is_none_of_their_rights() -> anyhow::Result<()> {
    let rendered = helm::template(&["associationObjects.enabled=false"])?;
    ensure!(
        !rendered.contains("podrole.io]") && !rendered.contains("CustomResource"),
        "{rendered}"
    );
    let without = helm::template(&["crds.install=false"])?;
    ensure!(!without.contains("CustomResource") && without.contains("podidentitypatterns"));
    Ok(())
}
