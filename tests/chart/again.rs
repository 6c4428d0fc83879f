//! Installing, removing and installing again at once, with an image that cannot be pulled too.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use podrole_tests::namespace::plain_pod;
use tokio::time::sleep;

use crate::{
    golden::MODES,
    helm,
    installed::{Alone, alone, configurations, release, uninstall},
    objects,
};

/// No pod runs here, as with an image that no node has: nothing of the chart may wait for one.
const BROKEN: &str = "image.repository=registry.invalid/podrole";
/// A namespace that only the chart makes. Nothing here empties one that is deleted, so it would end for ever.
const NAMESPACE: &str = "agent.namespace=podrole-agent-again";

#[tokio::test]
async fn the_agents_namespace_outlives_the_release_that_is_installed_again_at_once()
-> anyhow::Result<()> {
    let Alone { kubeconfig, .. } = &alone().await?;
    for round in 0..3 {
        let installed = release("install", &[NAMESPACE], kubeconfig);
        installed.with_context(|| format!("install {round}"))?;
        let said = uninstall(kubeconfig)?;
        ensure!(said.contains("[Namespace] podrole-agent-again"), "helm does not say it: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_broken_image_is_removed_like_any_other_and_refuses_no_pod() -> anyhow::Result<()> {
    let Alone { cluster, client, kubeconfig, .. } = &alone().await?;
    let required = cluster.namespace("broken", &[("podrole.io/injection", "required")]).await?;
    required.service_account("app", &[]).await?;
    let removed = async {
        let set = [NAMESPACE.to_owned(), BROKEN.to_owned()];
        let kubeconfig = kubeconfig.clone();
        // helm blocks, and pods are made meanwhile.
        let helm = tokio::task::spawn_blocking(move || {
            let set: Vec<&str> = set.iter().map(String::as_str).collect();
            release("install", &set, &kubeconfig)?;
            uninstall(&kubeconfig)
        });
        helm.await?
    };
    let mut removed = std::pin::pin!(removed);
    let mut pods = 0;
    loop {
        let pod = required.dry_run(plain_pod("app", "app")).await;
        pod.with_context(|| format!("pod {pods} was refused"))?;
        pods += 1;
        tokio::select! {
            result = &mut removed => { result?; break; }
            () = sleep(Duration::from_millis(50)) => {}
        }
    }
    ensure!(pods > 5, "only {pods} pods were made");
    ensure!(configurations(client).await?.is_empty(), "a configuration is left");
    Ok(())
}

/// A hook is a pod that needs the image, when a person wants to be rid of it.
#[test]
fn nothing_of_the_chart_is_a_hook_or_a_job() -> anyhow::Result<()> {
    for (mode, set) in MODES {
        let text = helm::template(set)?;
        ensure!(!text.contains("helm.sh/hook"), "{mode} has a hook");
        let job = objects::read(&text)?.into_iter().find(|it| it["kind"] == "Job");
        ensure!(job.is_none(), "{mode} has a Job");
    }
    Ok(())
}
